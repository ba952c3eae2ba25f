import type { AlarmKind, SavedAlarm } from '@carcosa/contracts';
import { type Actor, SYSTEM } from '@carcosa/domain';
import type { OrganizationId } from '@carcosa/kernel';
import { jobHandlers } from '@carcosa/server/testing';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { type MailServer, startMailServer } from '../../support/smtp.ts';
import { WebhookReceiver } from '../../support/webhook-receiver.ts';
import { WebhookWorld } from '../events/support.ts';

const MINUTE = 60_000;

describe.each(databaseKinds())('alarms on %s', (kind) => {
  let world: WebhookWorld;
  let mail: MailServer;
  let receiver: WebhookReceiver;
  let organizationId: OrganizationId;
  let owner: Actor;

  beforeEach(async () => {
    mail = await startMailServer();
    receiver = await WebhookReceiver.open();
    const env = { CARCOSA_SMTP_URL: mail.url, CARCOSA_MAIL_FROM: 'carcosa@example.com' };
    world = await WebhookWorld.open({ kind, env, sends: false });
    world.node.carcosa.queue.start(jobHandlers(world.node.carcosa));
    await world.node.carcosa.queue.started;
    // Those of a first start are tried by their own test.
    await world.db.query('delete from alarms');
    const { rows } = await world.db.query<{ id: OrganizationId }>('select id from organizations');
    organizationId = rows[0]?.id as OrganizationId;
    owner = await person('owner@example.com', 'owner');
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
    await mail.close();
  });

  async function person(email: string, role: 'owner' | 'admin' | 'member'): Promise<Actor> {
    const id = world.node.carcosa.ids.next('user');
    await world.db.query(
      `insert into users (id, name, email, email_verified, created_at, updated_at) values ($1, 'P', $2, true, now(), now())`,
      [id, email],
    );
    await world.db.query(
      'insert into organization_members (organization_id, user_id, role, created_at) values ($1, $2, $3, now())',
      [organizationId, id, role],
    );
    const sessionId = world.node.carcosa.ids.next('session');
    const organizations = new Map([[organizationId, role]]);
    return { type: 'user', id, sessionId, isServerAdmin: false, organizations, teams: new Map() };
  }

  const make = (alarmKind: AlarmKind, rest: object = {}, actor: Actor = owner): Promise<SavedAlarm> =>
    world.node.carcosa.alarms.create(actor, {
      ...{ kind: alarmKind, enabled: true, toAdministrators: false, emails: [], webhookUrl: null, chatUrl: null },
      ...(actor === owner ? { organizationId } : {}),
      ...rest,
    });
  const evaluate = () => world.node.carcosa.alarmEvaluator.evaluate();
  const get = (id: string, actor: Actor = owner) => world.node.carcosa.alarms.get(actor, id);
  const told = () => receiver.received.map(({ body }) => body.type);
  /** A webhook whose last attempts failed. */
  async function failingWebhook(failures: number): Promise<string> {
    const { id } = await world.webhook(receiver.url.replace('hook', 'other?token=x'));
    await world.db.query('update webhooks set consecutive_failures = $2 where id = $1', [id, failures]);
    return id;
  }
  const events = async (id: string) =>
    (await world.db.query('select type from events where resource_id = $1 order by position', [id])).rows.map(
      ({ type }) => type,
    );

  it('tell once that something is bad and once that it is well: by mail, signed request and chat message', async () => {
    await person('admin@example.com', 'admin');
    await person('member@example.com', 'member');
    const chatUrl = receiver.url.replace('hook', 'services/T0/secret');
    const rest = { toAdministrators: true, emails: ['ops@example.com'], webhookUrl: receiver.url, chatUrl };
    const alarm = await make('webhook', { name: 'A webhook fails', ...rest });
    expect(alarm).toMatchObject({ state: 'ok', threshold: 5, chatHost: new URL(receiver.url).host });
    expect(JSON.stringify(alarm)).not.toContain('services/T0');
    const id = await failingWebhook(4);
    await evaluate();
    expect((await get(alarm.id)).state).toBe('ok');
    await world.db.query('update webhooks set consecutive_failures = 6 where id = $1', [id]);
    for (let round = 0; round < 3; round++) await evaluate();
    const mails = await Promise.all(['ops', 'owner', 'admin'].map((name) => mail.next(`${name}@example.com`)));
    for (const each of mails) {
      expect(each.subject).toBe('[Carcosa] Alarm: A webhook fails');
      expect(each.text).toMatch(/other: 6 failed attempts/);
      expect(each.text).not.toContain('token=x');
    }
    await expect.poll(() => receiver.received.length).toBe(2);
    const signed = receiver.received.find(({ path }) => path === '/hook');
    expect(signed?.body).toMatchObject({
      type: 'alarm.fired',
      data: { alarmId: alarm.id, fired: [{ subject: id, value: 6 }] },
    });
    const chat = receiver.received.find(({ path }) => path === '/services/T0/secret');
    expect(JSON.parse(chat?.text ?? '')).toEqual({ text: expect.stringContaining('Alarm: A webhook fails') });
    expect(chat?.headers['webhook-signature']).toBeUndefined();
    expect(await get(alarm.id)).toMatchObject({ state: 'firing', firing: [{ subject: id, value: 6 }] });

    await world.db.query('update webhooks set consecutive_failures = 0 where id = $1', [id]);
    for (let round = 0; round < 3; round++) await evaluate();
    expect((await mail.next('ops@example.com')).subject).toBe('[Carcosa] Resolved: A webhook fails');
    await expect.poll(told).toContain('alarm.resolved');
    expect((await get(alarm.id)).state).toBe('ok');
    expect(mail.mails.some(({ to }) => to?.some(({ address }) => address === 'member@example.com'))).toBe(false);
    expect(await events(alarm.id)).toEqual(['alarm.created', 'alarm.fired', 'alarm.resolved']);
    const { rows } = await world.db.query(`select action from audit_entries where resource_id = $1 order by id`, [
      alarm.id,
    ]);
    expect(rows.map(({ action }) => action)).toEqual(['alarm.create', 'alarm.fire', 'alarm.resolve']);
  });

  it('are signed as webhooks are', async () => {
    const alarm = await make('webhook', { webhookUrl: receiver.url });
    expect(await world.node.carcosa.alarms.test(owner, alarm.id)).toEqual({
      results: [{ target: 'webhook', to: new URL(receiver.url).host, error: null }],
    });
    const [request] = receiver.received;
    const verified = new Webhook(alarm.webhookSecret ?? '').verify(
      request?.text ?? '',
      request?.headers as Record<string, string>,
    );
    expect(verified).toMatchObject({ type: 'alarm.test', data: { isTest: true } });
  });

  it('tell once however many nodes look at the same time', async () => {
    const other = await world.addNode();
    const { id } = await make('webhook', { webhookUrl: receiver.url });
    await failingWebhook(9);
    await Promise.all([evaluate(), other.carcosa.alarmEvaluator.evaluate(), evaluate()]);
    await expect.poll(told).toEqual(['alarm.fired']);
    expect(await events(id)).toEqual(['alarm.created', 'alarm.fired']);
  });

  it('are told again to a receiver that did not take it, and to nobody else', async () => {
    let failures = 2;
    receiver.behaviour = (response) => {
      failures -= 1;
      response.writeHead(failures >= 0 ? 500 : 204).end();
    };
    await make('webhook', { webhookUrl: receiver.url, emails: ['ops@example.com'] });
    await failingWebhook(9);
    await evaluate();
    await mail.next('ops@example.com');
    // The queue waits longer with each attempt: the next one is now.
    await expect
      .poll(
        async () => {
          await world.db.query(
            `update carcosa_jobs.job set start_after = now() where name = 'tell-alarm' and state = 'retry'`,
          );
          await world.db.query(`select pg_notify('carcosa_jobs', '{"job":"tell-alarm"}')`);
          return receiver.received.length;
        },
        { timeout: 30_000 },
      )
      .toBe(3);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(mail.mails).toHaveLength(1);
  });

  it('watch quotas of an organization, its projects and its tenants', async () => {
    const { carcosa } = world.node;
    await carcosa.quotaSettings.setProject(SYSTEM, world.projectId, { files: 40, bytes: 0 });
    const tenant = await carcosa.tenants.create(SYSTEM, {
      projectId: world.projectId,
      name: 'Acme',
      bucketId: null,
      metadata: {},
    });
    await carcosa.quotaSettings.setTenant(SYSTEM, tenant.id, { uploadBytes: 100 });
    const alarm = await make('quota', { threshold: 80 });
    const fill = (scope: string, used: number) =>
      world.db.query('update quota_counters set used = $2 where scope_id = $1', [scope, used]);
    await fill(world.projectId, 31);
    await fill(tenant.id, 79);
    await evaluate();
    expect((await get(alarm.id)).firing).toEqual([]);
    await fill(world.projectId, 32);
    await fill(tenant.id, 95);
    await evaluate();
    expect((await get(alarm.id)).firing.map(({ label, value }) => [label, value])).toEqual([
      ['project default, files', 80],
      ['tenant Acme, uploadBytes', 95],
    ]);
    // Between 72 and 80 percent it is neither bad nor well.
    await fill(world.projectId, 30);
    await fill(tenant.id, 10);
    await evaluate();
    expect((await get(alarm.id)).firing.map(({ label }) => label)).toEqual(['project default, files']);
  });

  it('watch the requests of all nodes', async () => {
    const alarm = await make('error-rate', { threshold: 10, forMinutes: 1 }, SYSTEM);
    const seen = (instance: string, requests: number, failures: number) =>
      world.db.query('insert into node_samples values ($1, $2, $3, $4, 50)', [
        instance,
        new Date(world.clock.now()),
        requests,
        failures,
      ]);
    await seen('node_a', 10, 10);
    await evaluate();
    expect((await get(alarm.id, SYSTEM)).state).toBe('ok');
    await seen('node_b', 30, 0);
    await evaluate();
    world.clock.advance(MINUTE);
    await evaluate();
    expect(await get(alarm.id, SYSTEM)).toMatchObject({ state: 'firing', firing: [{ value: 25 }] });
    world.clock.advance(6 * MINUTE);
    await evaluate();
    world.clock.advance(MINUTE);
    await evaluate();
    expect((await get(alarm.id, SYSTEM)).state).toBe('ok');
  });

  it('count what this node answers, and see its disk', async () => {
    const { carcosa, url } = world.node;
    const [rate, disk] = [
      await make('error-rate', { forMinutes: 0 }, SYSTEM),
      await make('disk', { threshold: 99, forMinutes: 0 }, SYSTEM),
    ];
    for (let n = 0; n < 20; n++) await fetch(`${url}/health`);
    await carcosa.nodeSampler.sample();
    await carcosa.nodeSampler.sample();
    const { rows } = await world.db.query(
      'select sum(requests)::int as requests, min(disk_free) as free from node_samples',
    );
    expect(rows[0]?.requests).toBeGreaterThanOrEqual(20);
    await evaluate();
    expect((await get(rate.id, SYSTEM)).state).toBe('ok');
    const found = await get(disk.id, SYSTEM);
    expect(found.firing.map(({ value }) => value)).toEqual([Math.round((rows[0]?.free as number) * 10) / 10]);
  });

  it('watch buckets, each by itself', async () => {
    const { carcosa } = world.node;
    const alarm = await make('bucket', { forMinutes: 0 });
    await world.db.query(
      `insert into buckets (id, organization_id, name, provider, config, created_at) values ($1, $2, 'Gone', 's3', $3, now())`,
      [
        carcosa.ids.next('bucket'),
        organizationId,
        JSON.stringify({ endpoint: 'http://127.0.0.1:9', region: 'x', bucket: 'b' }),
      ],
    );
    await evaluate();
    expect((await get(alarm.id)).firing.map(({ label, value }) => [label, value])).toEqual([['Gone', 1]]);
  });

  it('watch jobs that failed for good', async () => {
    const alarm = await make('dead-letters', {}, SYSTEM);
    await evaluate();
    expect((await get(alarm.id, SYSTEM)).state).toBe('ok');
    await world.db.query(`insert into carcosa_jobs.job (name, data) values ('dead-letters', '{}')`);
    await evaluate();
    expect(await get(alarm.id, SYSTEM)).toMatchObject({ state: 'firing', firing: [{ value: 1 }] });
  });

  it('forget what they found when they are switched off', async () => {
    const alarm = await make('webhook');
    await failingWebhook(9);
    await evaluate();
    expect((await get(alarm.id)).state).toBe('firing');
    await world.node.carcosa.alarms.update(owner, alarm.id, { enabled: false });
    await evaluate();
    expect((await get(alarm.id)).state).toBe('ok');
  });

  it('say of a test what became of it, and of an address inside nothing at all', async () => {
    const alarm = await make('webhook', { emails: ['ops@example.com'], chatUrl: 'https://chat.invalid/x' });
    receiver.behaviour = (response) =>
      response.writeHead(302, { location: 'http://127.0.0.1/' }).end('secret of the inside');
    const changed = await world.node.carcosa.alarms.update(owner, alarm.id, { webhookUrl: receiver.url });
    expect(changed.webhookSecret).toMatch(/^whsec_/);
    const { results } = await world.node.carcosa.alarms.test(owner, alarm.id);
    expect(results).toEqual([
      { target: 'email', to: 'ops@example.com', error: null },
      { target: 'webhook', to: new URL(receiver.url).host, error: 'redirects are not followed (302)' },
      { target: 'chat', to: 'chat.invalid', error: expect.stringMatching(/request failed/) },
    ]);
    expect((await mail.next('ops@example.com')).subject).toBe('[Carcosa] Test of the alarm "webhook"');
    for (const url of ['http://10.0.0.1/x', 'http://169.254.169.254/latest', 'http://[::ffff:7f00:2]/'])
      for (const field of ['webhookUrl', 'chatUrl'])
        await expect(make('webhook', { [field]: url })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('are refused where they make no sense', async () => {
    await expect(make('disk')).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/server/),
    });
    await expect(make('quota', {}, SYSTEM)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(make('quota', { threshold: 101 })).rejects.toMatchObject({
      message: expect.stringMatching(/1 to 100/),
    });
    await expect(make('disk', {}, { ...owner, isServerAdmin: false } as Actor)).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('a first start', () => {
  it('has the alarms that everybody wants, once', async () => {
    const world = await WebhookWorld.open({ kind: 'embedded', sends: false });
    try {
      const names = async () =>
        (await world.db.query('select kind, organization_id is null as server from alarms order by 2, 1')).rows.map(
          ({ kind, server }) => `${server ? 'server' : 'organization'} ${kind}`,
        );
      const first = await names();
      expect(first).toEqual([
        ...['organization bucket', 'organization quota', 'organization webhook'],
        ...['server bucket', 'server dead-letters', 'server disk', 'server error-rate'],
      ]);
      await world.db.query(`delete from alarms where kind = 'disk'`);
      await world.addNode();
      expect(await names()).toEqual(first.filter((name) => name !== 'server disk'));
    } finally {
      await world.close();
    }
  });
});

import type { DeliveryDetail } from '@carcosa/contracts';
import { RETRY_DELAYS, WebhookSender } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import { AddressGuard } from '@carcosa/kernel/node';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { now, until } from '../../support/clock.ts';
import { databaseKinds } from '../../support/database.ts';
import { type Behaviour, WebhookReceiver } from '../../support/webhook-receiver.ts';
import { WebhookWorld } from './support.ts';

const DAY = 24 * 3600_000;
const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    response.writeHead(code, headers).end(`it is ${code}`);

describe.each(databaseKinds())('webhooks, on %s', (kind) => {
  let world: WebhookWorld;
  let receiver: WebhookReceiver;
  const ids: string[] = [];

  beforeAll(async () => {
    world = await WebhookWorld.open({ kind, webhookTimeoutMs: 1500 });
  });
  afterAll(() => world.close());
  afterEach(async () => {
    for (const id of ids.splice(0)) await world.api('DELETE', `/webhooks/${id}`);
    await receiver.close();
  });

  async function open(behaviour?: Behaviour, rest: object = {}) {
    receiver = await WebhookReceiver.open(behaviour);
    const made = await world.webhook(receiver.url, rest);
    ids.push(made.id);
    return made;
  }

  const taken = (count: number) =>
    until(() => (receiver.received.length >= count ? receiver.received : null), { what: `${count} requests` });
  const settled = (id: string, count = 1) =>
    until(
      async () => {
        const all = await world.deliveries(id);
        return all.length >= count && all.every(({ state }) => state !== 'pending') ? all : null;
      },
      { what: 'the end of all deliveries' },
    );

  it('tell of an upload, signed so that the standard library verifies it, and record the request', async () => {
    const { id, secret } = await open(undefined, { events: ['file.created'] });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const file = await world.api<{ id: string; url: string }>('POST', '/files?path=a.txt', 'text');
    const [request] = await taken(1);
    const payload = new Webhook(secret).verify(request?.text ?? '', request?.headers as Record<string, string>);
    expect(payload).toMatchObject({ type: 'file.created', data: { ...file, projectId: world.projectId } });
    expect(Object.keys(payload as object)).toEqual(['type', 'timestamp', 'data']);
    const [delivery] = await settled(id);
    const detail = await world.api<DeliveryDetail>('GET', `/webhooks/${id}/deliveries/${delivery?.id}`);
    expect(detail).toMatchObject({ state: 'delivered', attempts: 1, requestBody: request?.text });
    expect(detail.eventId).toBe(request?.headers['webhook-id']);
    expect(detail.history).toMatchObject([{ number: 1, status: 204, error: null, url: receiver.url }]);
    expect(detail.history[0]?.requestHeaders['webhook-signature']).toBe(request?.headers['webhook-signature']);
    const shown = JSON.stringify([await world.health(id), await world.call('GET', '/audit-logs')]);
    expect(shown).not.toContain(secret.slice(6));
    const { rows } = await world.db.query('select secret from webhooks where id = $1', [id]);
    expect(rows[0]?.secret.toString('latin1')).not.toContain(secret);
  });

  it('are tried again by the schedule with one id, and given up after the tenth attempt', async () => {
    const { id } = await open(status(500), { events: ['file.trashed'] });
    await world.happen(['file_schedule']);
    await taken(1);
    for (const [made, delay] of RETRY_DELAYS.entries()) {
      await until(async () => (await world.deliveries(id))[0]?.attempts === made + 1, { what: `attempt ${made + 1}` });
      const next = RETRY_DELAYS[made + 1];
      if (next === undefined) break;
      const [waiting] = await world.deliveries(id);
      const wait = Date.parse(waiting?.nextAttemptAt ?? '') - world.clock.now();
      expect(Math.abs(wait - next)).toBeLessThanOrEqual(next * 0.1 + 1600);
      expect(delay).toBe(RETRY_DELAYS[made]);
      // Five days of failure would switch it off before: it is as if another event had been taken.
      await world.db.query('update webhooks set failing_since = null where id = $1', [id]);
      world.advance(next * 1.1 + 400_000);
    }
    expect(await settled(id)).toMatchObject([{ state: 'failed', attempts: 10 }]);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(await world.history(id)).toHaveLength(10);
  });

  it('wait as long as Retry-After says', async () => {
    const { id } = await open(status(503, { 'retry-after': '3600' }), { events: ['file.trashed'] });
    await world.happen(['file_later']);
    await taken(1);
    const paused = await until(async () => {
      const health = await world.health(id);
      return health.health === 'paused' ? health : null;
    });
    expect(Date.parse(paused.pausedUntil ?? '') - world.clock.now()).toBeGreaterThanOrEqual(3_600_000);
    receiver.behaviour = status(200);
    world.advance(3_000_000);
    await world.api('POST', `/webhooks/${id}/test`);
    expect(receiver.received.map(({ body }) => body.type)).toEqual(['file.trashed', 'webhook.test']);
    world.advance(700_000);
    await taken(3);
    await settled(id, 2);
    expect(await world.health(id)).toMatchObject({ health: 'healthy', consecutiveFailures: 0 });
  });

  it('are switched off by 410, and after five days of failure, with an event that says so', async () => {
    const gone = await open(status(410), { events: ['file.trashed'] });
    await world.happen(['file_gone', 'file_more']);
    await until(async () => !(await world.health(gone.id)).enabled);
    expect(await world.health(gone.id)).toMatchObject({
      health: 'disabled',
      disabledReason: expect.stringContaining('410'),
    });
    await receiver.close();

    const failing = await open(status(500), { events: ['file.trashed'] });
    await world.happen(['file_old']);
    await taken(1);
    for (let day = 0; day <= 5 && (await world.health(failing.id)).enabled; day++) {
      const before = receiver.received.length;
      await until(async () => (await world.history(failing.id)).length === before);
      world.advance(1.2 * DAY);
      await until(async () => receiver.received.length > before || !(await world.health(failing.id)).enabled);
    }
    await until(async () => !(await world.health(failing.id)).enabled);
    const { items } = await world.api<{ items: { resourceId: string; data: object }[] }>(
      'GET',
      '/events?type=webhook.disabled',
    );
    expect(items.map(({ resourceId }) => resourceId)).toEqual([failing.id, gone.id]);
    expect(items[0]?.data).toMatchObject({ reason: expect.stringContaining('five days'), enabled: false });
    expect((await world.deliveries(failing.id, '&state=pending')).length).toBe(0);

    // Switched on again, what it missed can be had.
    receiver.behaviour = status(200);
    await world.api('PATCH', `/webhooks/${failing.id}`, { enabled: true });
    const from = new Date(world.clock.now() - 30 * DAY).toISOString();
    const before = receiver.received.length;
    const { deliveries } = await world.api<{ deliveries: number }>('POST', `/webhooks/${failing.id}/replay`, { from });
    expect(deliveries).toBeGreaterThan(2);
    await taken(before + deliveries);
    expect((await settled(failing.id)).filter(({ isReplay }) => isReplay)).toHaveLength(deliveries);
    expect(await world.api('POST', `/webhooks/${failing.id}/replay`, { from })).toEqual({ deliveries: 0 });
  });

  it('are signed by both secrets after a rotation, until the former one ends', async () => {
    // Their library compares with the time of this machine.
    world.clock.advance(Math.floor(now()) - world.clock.now());
    const { id, secret: former } = await open(undefined, { events: ['file.trashed'] });
    const { secret } = await world.api<{ secret: string }>('POST', `/webhooks/${id}/rotate-secret`, {
      overlapSeconds: 60,
    });
    const signatures = (index: number) => {
      const request = receiver.received[index];
      const headers = request?.headers as Record<string, string>;
      const verifies = [secret, former].map((key) => {
        try {
          return new Webhook(key).verify(request?.text ?? '', headers) !== undefined;
        } catch {
          return false;
        }
      });
      return [String(headers['webhook-signature']).split(' ').length, ...verifies];
    };
    await world.happen(['file_rotated']);
    await taken(1);
    expect(signatures(0)).toEqual([2, true, true]);
    world.clock.advance(61_000);
    await settled(id);
    await world.happen(['file_rotated']);
    await taken(2);
    expect(signatures(1)).toEqual([1, true, false]);
  });

  it('follow no redirect, and reach no private address by any name', async () => {
    const target = await WebhookReceiver.open();
    const { id } = await open(status(302, { location: target.url }), { events: ['file.trashed'] });
    await world.happen(['file_redirect']);
    await until(async () => (await world.history(id)).length === 1);
    expect((await world.history(id))[0]).toMatchObject({ status: 302, error: expect.stringContaining('redirect') });
    expect(target.received).toEqual([]);
    await target.close();
    for (const host of [
      '10.0.0.1',
      '127.0.0.2',
      '[::1]',
      '0x7f.2',
      '169.254.169.254',
      '[::ffff:127.0.0.2]',
      '192.168.1.1',
    ]) {
      const answer = await world.call('POST', '/webhooks', { projectId: world.projectId, url: `http://${host}/x` });
      expect([host, answer.status, answer.body.error]).toEqual([host, 400, 'invalid_request']);
    }
    // A name, which only the connection resolves.
    const guard = new AddressGuard({
      allow: [],
      refuse: (host) => new CarcosaError('invalid_request', { message: `no ${host}` }),
    });
    const sender = new WebhookSender({ guard, clock: world.clock, version: '0' });
    const seen = receiver.received.length;
    const url = `http://localhost:${new URL(receiver.url).port}/x`;
    expect(await sender.send({ url, secrets: [], id: 'a', body: '{}' })).toMatchObject({
      status: null,
      error: 'no localhost',
    });
    expect(receiver.received).toHaveLength(seen);
    await sender.close();
  });

  it('give up a receiver that hangs or never ends, keep 64 KiB of what it says, and take a cut as a failure', async () => {
    const { id } = await open(() => {}, { events: ['file.trashed'] });
    const test = async () => (await world.api<DeliveryDetail>('POST', `/webhooks/${id}/test`)).history[0];
    expect(await test()).toMatchObject({ status: null, error: 'no answer in time' });
    receiver.behaviour = (_response, _received, request) => request.socket.destroy();
    expect(await test()).toMatchObject({ status: null, error: expect.stringContaining('failed') });
    receiver.behaviour = (response) => response.writeHead(200).end('é\0'.repeat(100_000));
    const long = await test();
    expect(long).toMatchObject({ status: 200, error: null });
    expect(Buffer.byteLength(long?.responseBody ?? '')).toBeLessThanOrEqual(130_000);
    receiver.behaviour = (response) => response.writeHead(200).write('begun');
    expect(await test()).toMatchObject({ status: 200, error: null, responseBody: 'begun' });
  });

  it('come in the order of one file, whatever fails, while other files go on', async () => {
    const { id } = await open(
      (response, { body }) => response.writeHead(body.data.id === 'file_a' && body.data.index === 0 ? 500 : 200).end(),
      { events: ['file.trashed'] },
    );
    await world.happen(['file_a', 'file_b', 'file_a', 'file_b', 'file_a']);
    const of = (name: string) =>
      receiver.received.filter(({ body }) => body.data.id === name).map(({ body }) => body.data.index);
    await until(() => of('file_b').length === 2 && of('file_a').length === 1);
    expect(of('file_b')).toEqual([1, 3]);
    receiver.behaviour = status(200);
    await until(async () => (await world.deliveries(id)).filter(({ state }) => state === 'pending').length === 3);
    world.advance(10_000);
    await settled(id, 5);
    expect(of('file_a')).toEqual([0, 0, 2, 4]);
  });

  it('go on while one receiver hangs', async () => {
    const stuck = await WebhookReceiver.open(() => {});
    ids.push((await world.webhook(stuck.url, { events: ['file.trashed'] })).id);
    const { id } = await open(undefined, { events: ['file.trashed'] });
    await world.happen(Array.from({ length: 300 }, (_, index) => `file_${index}`));
    await taken(300);
    await settled(id, 100);
    expect(stuck.received.length).toBeLessThanOrEqual(16);
    await stuck.close();
  });

  it('are sent once by two nodes', async () => {
    if (world.nodes.length < 2) await world.addNode();
    const { id } = await open(undefined, { events: ['file.trashed'] });
    for (let round = 0; round < 10; round++)
      await world.happen(Array.from({ length: 50 }, (_, index) => `file_${round}_${index}`));
    await taken(500);
    await settled(id, 100);
    const seen = receiver.received.map(({ headers }) => headers['webhook-id']);
    expect(new Set(seen).size).toBe(500);
    expect(seen).toHaveLength(500);
  });

  it('can be asked for once more, one by one and from the history', async () => {
    const { id } = await open(undefined, { events: ['file.trashed'] });
    await world.happen(['file_again']);
    const [delivery] = await settled(id);
    const again = await world.api<{ eventId: string }>('POST', `/webhooks/${id}/deliveries/${delivery?.id}/replay`);
    expect(again.eventId).toBe(delivery?.eventId);
    await world.api('POST', `/events/${delivery?.eventId}/replay`, { webhookId: id });
    const [first, ...others] = await taken(3);
    for (const other of others) {
      expect(other.headers['webhook-id']).toBe(first?.headers['webhook-id']);
      expect(other.text).toBe(first?.text);
    }
  });

  it('are made only by who may read what their events tell of', async () => {
    const key = async (permissions: string[], restrictions = {}) =>
      (
        await world.api<{ key: string }>('POST', '/api-keys', {
          projectId: world.projectId,
          name: 'x',
          permissions,
          restrictions,
        })
      ).key;
    receiver = await WebhookReceiver.open();
    const make = async (events: string[], as: string) =>
      (await world.call('POST', '/webhooks', { url: receiver.url, events }, as)).status;
    const writer = await key(['projects:write', 'files:read']);
    expect(await make(['file.*'], writer)).toBe(201);
    expect(await make(['key.created'], writer)).toBe(403);
    expect(await make(['*'], writer)).toBe(403);
    expect(await make(['file.*'], await key(['files:read', 'files:write']))).toBe(403);
    expect(await make(['file.*'], await key(['admin'], { pathPrefix: 'in' }))).toBe(403);
    expect(await make(['nothing.happened'], writer)).toBe(400);
  });
});

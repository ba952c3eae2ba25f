import { putMember, retireProject, transaction } from '@carcosa/database';
import type { OrganizationId, UserId } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { databaseKinds } from '../../support/database.ts';
import { type MailServer, startMailServer } from '../../support/smtp.ts';
import { type Behaviour, WebhookReceiver } from '../../support/webhook-receiver.ts';
import { WebhookWorld } from './support.ts';

const status =
  (code: number): Behaviour =>
  (response) =>
    response.writeHead(code).end();

describe.each(databaseKinds())('the end of webhooks, on %s', (kind) => {
  let world: WebhookWorld;
  let mail: MailServer;

  beforeAll(async () => {
    mail = await startMailServer();
    const env = { CARCOSA_SMTP_URL: mail.url, CARCOSA_MAIL_FROM: 'carcosa@example.com' };
    world = await WebhookWorld.open({ kind, env });
  });
  afterAll(async () => {
    await world.close();
    await mail.close();
  });

  it('is told by mail to who runs the organization, without the secrets of its address', async () => {
    // With a mail server, registration waits for a mail; that the address is confirmed is no matter here.
    const json = { email: 'owner@example.com', password: 'correct horse battery', name: 'Camilla' };
    expect((await world.call('POST', '/auth/register', json)).status).toBeLessThan(300);
    const { rows } = await world.db.query<{ organizationId: OrganizationId; userId: UserId }>(
      `select p.organization_id as "organizationId", u.id as "userId" from projects p, users u where p.id = $1`,
      [world.projectId],
    );
    for (const member of rows) await putMember(world.db, { ...member, role: 'owner' });
    const receiver = await WebhookReceiver.open(status(410));
    const { id } = await world.webhook(`${receiver.url}?token=secret`, {
      events: ['file.trashed'],
      description: 'Shop',
    });
    await world.happen(['file_gone']);
    const told = await until(() => mail.mails.find(({ subject }) => subject?.includes('switched off')));
    expect(told.to?.[0]?.address).toBe('owner@example.com');
    expect(told.text).toContain(`${id} (Shop)`);
    expect(told.text).toContain('410');
    expect(told.text).not.toContain('token=secret');
    await receiver.close();
  });

  it('comes with that of its project, and what waited is not sent', async () => {
    const receiver = await WebhookReceiver.open(status(500));
    const { id } = await world.webhook(receiver.url, { events: ['file.trashed'] });
    await world.happen(['file_waits']);
    await until(async () => (await world.history(id)).length > 0);
    expect(await transaction(world.pool, (tx) => retireProject(tx, world.projectId))).not.toBeNull();
    const { rows } = await world.db.query(
      `select w.enabled, w.disabled_reason as reason, d.state from webhooks w join webhook_deliveries d on d.webhook_id = w.id where w.id = $1`,
      [id],
    );
    expect(rows).toEqual([{ enabled: false, reason: 'its project was removed', state: 'cancelled' }]);
    await receiver.close();
  });
});

it('webhooks lose nothing when the database drops all connections of the sender, again and again', async () => {
  const world = await WebhookWorld.open({ kind: 'postgres' });
  const receiver = await WebhookReceiver.open();
  try {
    await world.webhook(receiver.url, { events: ['file.trashed'] });
    const resources = Array.from({ length: 300 }, (_, at) => `file_dropped_${at}`);
    for (let at = 0; at < resources.length; at += 50) {
      await world.happen(resources.slice(at, at + 50));
      await world.db.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    }
    const ids = new Map<string, Set<string>>();
    await until(
      () => {
        world.advance(16_000);
        for (const { body, headers } of receiver.received) {
          const resource = String((body.data as { id: string }).id);
          ids.set(resource, (ids.get(resource) ?? new Set()).add(String(headers['webhook-id'])));
        }
        return ids.size === resources.length;
      },
      { within: 40_000, every: 250, what: 'every event' },
    );
    expect([...ids.values()].every(({ size }) => size === 1)).toBe(true);
  } finally {
    await world.close();
    await receiver.close();
  }
});

import { retainEvents, SYSTEM } from '@carcosa/domain';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { QuotaWorld } from '../quotas/support.ts';

const DAY = 24 * 3_600_000;

let world: QuotaWorld;
beforeAll(async () => {
  world = await QuotaWorld.open('embedded');
});
afterAll(() => world.close());

it('removes what is older than the plan keeps, with its deliveries, and nothing that is still to be delivered', async () => {
  const { carcosa, clock, database } = world;
  const [mine, other] = [await world.scopes(), await world.scopes()];
  await carcosa.quotaSettings.putPlan(SYSTEM, 'short', { quotas: {}, auditRetentionDays: null, eventRetentionDays: 7 });
  await carcosa.quotaSettings.setOrganization(SYSTEM, mine.organizationId, { plan: 'short' });
  const upload = async (path: string, key: string) => {
    const answer = await fetch(`${world.node.url}/api/v1/files?path=${path}`, {
      method: 'POST',
      headers: { 'x-api-key': key },
      body: 'x',
    });
    expect(answer.status).toBe(201);
  };
  for (const path of ['a', 'b', 'c', 'd', 'e']) {
    await upload(path, mine.key);
    await upload(path, other.key);
  }
  const { pool } = database;
  const paths = async (organizationId: string) =>
    (
      await pool.query(
        `select path from events where organization_id = $1 and type = 'file.created' order by position`,
        [organizationId],
      )
    ).rows.map(({ path }) => path);
  const eventOf = async (path: string) =>
    (
      await pool.query('select position from events where organization_id = $1 and path = $2', [
        mine.organizationId,
        path,
      ])
    ).rows[0].position;
  await pool.query(
    `insert into webhooks (id, organization_id, url, description, events, event_types, secret, created_at, updated_at)
     values ('whk_x', $1, 'https://x.invalid', '', '{}', '{}', '', now(), now())`,
    [mine.organizationId],
  );
  const deliver = async (path: string, state: string) =>
    pool.query(
      `insert into webhook_deliveries (id, webhook_id, event_position, order_key, state, next_at, created_at) values ('dlv_' || $1, 'whk_x', $2, 'x', $3, now(), now())`,
      [path, await eventOf(path), state],
    );
  await deliver('a', 'delivered');
  await deliver('b', 'pending');
  await pool.query('insert into event_queue (position) values ($1)', [await eventOf('c')]);
  const retain = () => retainEvents({ db: pool, clock }, { batch: 2 });
  clock.advance(6 * DAY);
  expect(await retain()).toBe(0);
  await upload('young', mine.key);
  clock.advance(2 * DAY);
  await retain();
  await pool.query('delete from event_queue');
  await pool.query(`update webhook_deliveries set state = 'delivered'`);
  await retain();
  expect(await paths(mine.organizationId)).toEqual(['young']);
  expect(await paths(other.organizationId)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect((await pool.query('select id from webhook_deliveries')).rows).toEqual([]);
});

it('leaves an event whose delivery is pending, or that waits in the queue', async () => {
  const { carcosa, clock, database } = world;
  const { organizationId, key } = await world.scopes();
  await carcosa.quotaSettings.setOrganization(SYSTEM, organizationId, { plan: 'short' });
  await fetch(`${world.node.url}/api/v1/files?path=q`, { method: 'POST', headers: { 'x-api-key': key }, body: 'x' });
  const { pool } = database;
  await pool.query(
    `insert into event_queue select position from events where organization_id = $1 and path = 'q' on conflict do nothing`,
    [organizationId],
  );
  clock.advance(30 * DAY);
  await retainEvents({ db: pool, clock });
  const left = () => pool.query('select from events where organization_id = $1 and path is not null', [organizationId]);
  expect((await left()).rowCount).toBe(1);
  await pool.query('delete from event_queue');
  await retainEvents({ db: pool, clock });
  expect((await left()).rowCount).toBe(0);
});

import type { JobName } from '@carcosa/contracts';
import { type Database, type Listener, transaction } from '@carcosa/database';
import { JOBS_CHANNEL, JOBS_SCHEMA, type JobQueue } from '@carcosa/queue';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../support/database.ts';
import { type Handle, openQueue } from './support.ts';

describe.each(databaseKinds())('jobs on %s', (kind) => {
  let database: Database;
  const open: { queue: JobQueue; listener: Listener }[] = [];

  beforeAll(async () => {
    database = await createTestDatabase({ kind });
  });
  afterAll(() => database.close());
  afterEach(async () => {
    for (const { queue, listener } of open.splice(0)) {
      await queue.close();
      await listener.close();
    }
    await database.pool.query(`delete from ${JOBS_SCHEMA}.job where name = 'hash-object'`);
  });

  async function node(
    handle: Handle | null,
    counts: Partial<Record<JobName, number>> = {},
    superviseSeconds?: number,
  ): Promise<JobQueue> {
    const opened = await openQueue(database, handle, counts, superviseSeconds);
    open.push(opened);
    return opened.queue;
  }

  const states = async (): Promise<{ state: string; retries: number }[]> => {
    const { rows } = await database.pool.query(
      `select state::text, retry_count as retries from ${JOBS_SCHEMA}.job where name = 'hash-object'`,
    );
    return rows;
  };

  it('are done soon, on whichever node, woken by the announcement', async () => {
    const done: string[] = [];
    await node(async (id) => void done.push(id));
    const maker = await node(null);
    await expect.poll(states).toEqual([]);
    const begun = performance.now();
    await maker.enqueue(database.pool, 'hash-object', { objectId: 'a' });
    await expect.poll(() => done, { interval: 5, timeout: 5_000 }).toEqual(['a']);
    // Well below the ten seconds of the poll.
    expect(performance.now() - begun).toBeLessThan(5_000);
    await expect.poll(async () => (await states()).map(({ state }) => state)).toEqual(['completed']);
  });

  it('exist if and only if their transaction commits', async () => {
    const done: string[] = [];
    const queue = await node(async (id) => void done.push(id));
    const failing = transaction(database.pool, async (tx) => {
      await queue.enqueue(tx, 'hash-object', { objectId: 'undone' });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    await transaction(database.pool, (tx) => queue.enqueue(tx, 'hash-object', { objectId: 'kept' }));
    await expect.poll(() => done).toEqual(['kept']);
    expect(await states()).toHaveLength(1);
  });

  it('are done once by two nodes, all of many', async () => {
    const done: string[] = [];
    const handle: Handle = async (id) => void done.push(id);
    const [queue] = await Promise.all([node(handle), node(handle)]);
    const wanted = Array.from({ length: 60 }, (_, i) => `job-${i}`);
    await Promise.all(wanted.map((objectId) => queue.enqueue(database.pool, 'hash-object', { objectId })));
    await expect.poll(() => done.length, { timeout: 20_000 }).toBe(60);
    expect(done.sort()).toEqual(wanted.sort());
  });

  it('that fail are kept to be tried again, later', async () => {
    let attempts = 0;
    const queue = await node(async () => {
      attempts++;
      throw new Error('the bucket is away');
    });
    await queue.enqueue(database.pool, 'hash-object', { objectId: 'a' });
    await expect.poll(async () => (await states()).map(({ state }) => state)).toEqual(['retry']);
    expect(attempts).toBe(1);
    const { rows } = await database.pool.query(
      `select output->>'message' as message, start_after > now() as later from ${JOBS_SCHEMA}.job where name = 'hash-object'`,
    );
    expect(rows).toEqual([{ message: 'the bucket is away', later: true }]);
  });

  it('of a worker that died are given to another', async () => {
    const maker = await node(null);
    await maker.enqueue(database.pool, 'hash-object', { objectId: 'orphan' });
    // As a worker leaves it that was killed a day ago.
    await database.pool.query(
      `update ${JOBS_SCHEMA}.job set state = 'active', started_on = now() - interval '1 day',
         heartbeat_on = now() - interval '1 day' where name = 'hash-object'`,
    );
    const done: string[] = [];
    await node(async (id) => void done.push(id), {}, 1);
    await expect.poll(async () => (await states())[0]?.state, { timeout: 15_000 }).toBe('retry');
    await database.pool.query(`update ${JOBS_SCHEMA}.job set start_after = now() where name = 'hash-object'`);
    await database.pool.query('select pg_notify($1, $2)', [JOBS_CHANNEL, JSON.stringify({ job: 'hash-object' })]);
    await expect.poll(() => done, { timeout: 15_000 }).toEqual(['orphan']);
  });

  it('that run are waited for at the end, and told when that takes too long', async () => {
    let aborted = false;
    let running = false;
    const queue = await node(async (_id, { signal }) => {
      running = true;
      await new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason);
        });
      });
    });
    await queue.enqueue(database.pool, 'hash-object', { objectId: 'a' });
    await expect.poll(() => running).toBe(true);
    const ended = open.pop();
    await queue.close(50);
    await ended?.listener.close();
    expect(aborted).toBe(true);
    expect((await states())[0]?.state).toBe('retry');
  });

  it('are left to others by a node that stops, which still makes them', async () => {
    const held = Promise.withResolvers<void>();
    let running = false;
    const stopping = await node(async () => {
      running = true;
      // Deaf to its abort, as some libraries are.
      await held.promise;
    });
    await stopping.enqueue(database.pool, 'hash-object', { objectId: 'a' });
    await expect.poll(() => running).toBe(true);
    await stopping.stopWorking(50);
    await stopping.enqueue(database.pool, 'hash-object', { objectId: 'b' });
    const done: string[] = [];
    await node(async (id) => void done.push(id));
    await expect.poll(() => done).toEqual(['b']);
    expect((await states()).map(({ state }) => state)).toContain('active');
    held.resolve();
  });

  it('on a schedule are made by one node of several', async () => {
    const counts: Partial<Record<JobName, number>> = {};
    await database.pool.query(`delete from ${JOBS_SCHEMA}.job where name <> 'hash-object'`);
    await Promise.all([node(async () => {}, counts), node(async () => {}, counts), node(async () => {}, counts)]);
    await expect.poll(() => counts).toMatchObject({ 'collect-garbage': 1, 'purge-trash': 1, 'retain-audit': 1 });
    // Of those whose time slots are long: of others the next one may have begun.
    const { rows } = await database.pool.query(
      `select name, count(*)::int as n from ${JOBS_SCHEMA}.job where name in ('purge-trash', 'retain-audit') group by name order by name`,
    );
    expect(rows).toEqual([
      { name: 'purge-trash', n: 1 },
      { name: 'retain-audit', n: 1 },
    ]);
  });

  it('cannot be made once the queue is closed', async () => {
    const queue = await node(null);
    const ended = open.pop();
    await queue.close();
    await ended?.listener.close();
    await expect(queue.enqueue(database.pool, 'hash-object', { objectId: 'a' })).rejects.toThrow();
  });
});

import { type Database, type Listener, type Queryable, transaction } from '@carcosa/database';
import { JobService, SYSTEM } from '@carcosa/domain';
import { IdGenerator, ManualClock } from '@carcosa/kernel';
import { JOBS_SCHEMA, type JobQueue } from '@carcosa/queue';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiKeyActor } from '../../support/actors.ts';
import { createTestDatabase, databaseKinds } from '../../support/database.ts';
import { openQueue } from './support.ts';

describe.each(databaseKinds())('the jobs as administrators see them, on %s', (kind) => {
  let database: Database;
  let opened: { queue: JobQueue; listener: Listener }[];
  let jobs: JobService;
  let broken: boolean;
  let done: string[];

  beforeEach(async () => {
    database = await createTestDatabase({ kind });
    [broken, done] = [true, []];
    const worker = await openQueue(database, async (objectId) => {
      if (broken) throw new Error(`cannot hash ${objectId}`);
      done.push(objectId);
    });
    opened = [worker];
    jobs = new JobService({
      db: database.pool,
      transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(database.pool, work),
      clock: new ManualClock(),
      ledger: worker.queue.ledger,
    });
  });
  afterEach(async () => {
    for (const { queue, listener } of opened) {
      await queue.close();
      await listener.close();
    }
    await database.close();
  });

  const enqueue = (objectId: string, options: { startAfter?: number } = {}) =>
    opened[0]?.queue.enqueue(database.pool, 'hash-object', { objectId }, options);

  /** Jobs that fail at once for the last time. */
  async function fail(...ids: string[]): Promise<void> {
    // A trigger, because the first attempt may come before any statement of ours.
    await database.pool.query(
      `create or replace function once() returns trigger language plpgsql as 'begin new.retry_limit := 0; return new; end';
       drop trigger if exists once on ${JOBS_SCHEMA}.job_common;
       create trigger once before insert on ${JOBS_SCHEMA}.job_common for each row when (new.name = 'hash-object') execute function once()`,
    );
    for (const id of ids) await enqueue(id);
    await expect.poll(async () => (await list({ queue: 'dead-letters' })).length).toBe(ids.length);
  }
  const list = async (query: object) => (await jobs.list(SYSTEM, { limit: 50, ...query } as never)).items;

  it('tells what failed and why, keeps it as a dead letter, and has it done once more', async () => {
    await fail('a');
    const [failed] = await list({ queue: 'hash-object', state: 'failed' });
    expect(failed).toMatchObject({ data: { objectId: 'a' }, attempts: 1, maxAttempts: 1, error: 'cannot hash a' });
    const [letter] = await list({ queue: 'dead-letters' });
    expect(letter).toMatchObject({ deadLetterOf: 'hash-object', data: { objectId: 'a' }, error: 'cannot hash a' });
    const queues = await jobs.queues(SYSTEM);
    expect(queues.find(({ name }) => name === 'hash-object')).toMatchObject({ every: null, counts: { failed: 1 } });
    expect(queues.find(({ name }) => name === 'seal-audit')?.every).toBe(10);
    broken = false;
    await jobs.retry(SYSTEM, failed?.id ?? '');
    await expect.poll(() => done).toEqual(['a']);
    await expect.poll(async () => (await jobs.get(SYSTEM, failed?.id ?? '')).state).toBe('completed');
    expect(await list({ queue: 'dead-letters' })).toEqual([]);
    await expect(jobs.retry(SYSTEM, failed?.id ?? '')).rejects.toMatchObject({ code: 'conflict' });
    const { rows } = await database.pool.query(`select action, resource_id, before from audit_entries`);
    expect(rows).toEqual([
      { action: 'job.retry', resource_id: failed?.id, before: { queue: 'hash-object', state: 'failed' } },
    ]);
  });

  it('puts a dead letter back whose job is gone', async () => {
    await fail('a');
    await database.pool.query(`delete from ${JOBS_SCHEMA}.job where name = 'hash-object'`);
    broken = false;
    const [letter] = await list({ queue: 'dead-letters' });
    await jobs.retry(SYSTEM, letter?.id ?? '');
    await expect.poll(() => done).toEqual(['a']);
    expect(await list({ queue: 'dead-letters' })).toEqual([]);
  });

  it('has all done once more, each once', async () => {
    await fail('a', 'b', 'c');
    const [{ id } = { id: '' }] = await list({ state: 'failed' });
    await database.pool.query(`delete from ${JOBS_SCHEMA}.job where id = $1`, [id]);
    broken = false;
    expect(await jobs.retryAll(SYSTEM, 'remove-files')).toBe(0);
    expect(await jobs.retryAll(SYSTEM, undefined)).toBe(3);
    await expect.poll(() => [...done].sort()).toEqual(['a', 'b', 'c']);
    expect(await list({ queue: 'dead-letters' })).toEqual([]);
    expect(await jobs.retryAll(SYSTEM, undefined)).toBe(0);
  });

  it('takes a job that waits out of its queue', async () => {
    await enqueue('later', { startAfter: 3600 });
    const [waiting] = await list({ state: 'created', queue: 'hash-object' });
    await jobs.cancel(SYSTEM, waiting?.id ?? '');
    expect(await jobs.get(SYSTEM, waiting?.id ?? '')).toMatchObject({ state: 'cancelled' });
    await expect(jobs.cancel(SYSTEM, waiting?.id ?? '')).rejects.toMatchObject({ code: 'conflict' });
  });

  it('gives pages, newest first, without a gap or a repetition', async () => {
    for (let n = 0; n < 7; n++) await enqueue(String(n), { startAfter: 3600 });
    const seen: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await jobs.list(SYSTEM, { queue: 'hash-object', state: undefined, limit: 3, cursor });
      seen.push(...page.items.map(({ data }) => (data as { objectId: string }).objectId));
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
    expect(seen).toEqual(['6', '5', '4', '3', '2', '1', '0']);
    for (const wrong of ['x', 'WyJqb2JzIiwiMjAyNi0xMy00NSIsIngiXQ'])
      await expect(
        jobs.list(SYSTEM, { limit: 3, cursor: wrong, queue: undefined, state: undefined }),
      ).rejects.toMatchObject({
        code: 'invalid_request',
      });
  });

  it('is for administrators of the server alone', async () => {
    const ids = new IdGenerator();
    const admin = apiKeyActor(ids, ids.next('project'), ['admin']);
    for (const call of [
      () => jobs.queues(admin),
      () => jobs.list(admin, { limit: 1 } as never),
      () => jobs.retryAll(admin, undefined),
      () => jobs.retry(admin, 'x'),
      () => jobs.cancel(admin, 'x'),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'forbidden' });
    for (const id of ['x', '00000000-0000-0000-0000-000000000000'])
      await expect(jobs.get(SYSTEM, id)).rejects.toMatchObject({ code: 'not_found' });
  });
});

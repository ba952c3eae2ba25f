import { JOBS, type JobName, type JobState } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import type { PgBoss } from 'pg-boss';
import { connectionOf, type QueueConnection } from './connection.ts';
import { DEAD_LETTERS, JOB_SETTINGS } from './job-settings.ts';

/** Most jobs that one call brings back. */
const BATCH = 1000;
const UNIQUE_VIOLATION = '23505';

export interface JobRow {
  id: string;
  queue: string;
  state: JobState;
  data: unknown;
  /** Attempts that have ended. */
  attempts: number;
  maxAttempts: number;
  /** What the last attempt failed with; null while none has. */
  error: string | null;
  /** Of a dead letter: the queue it came from. */
  deadLetterOf: string | null;
  createdAt: Date;
  /** Not before; for jobs that wait. */
  startAfter: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  /** Where a page goes on after it. */
  place: string;
}

export interface JobListing {
  queue: string | undefined;
  state: JobState | undefined;
  limit: number;
  /** `place` and id of the last one of the page before. */
  after: { place: string; id: string } | undefined;
}

export interface QueueSummary {
  name: string;
  /** Seconds between two runs; null for what is made by whoever needs it. */
  every: number | null;
  counts: Record<JobState, number>;
  /** Since when the oldest job that could be done waits; null when none does. */
  waitingSince: Date | null;
}

export interface JobLedgerParts {
  /** The running queue. @throws CarcosaError `overloaded` before it is up */
  boss: () => PgBoss;
  schema: string;
  /** Tells the workers of every node, when the transaction commits, that there is something to do. */
  announce(db: QueueConnection, name: string): Promise<void>;
}

const QUEUES: readonly string[] = [...Object.keys(JOBS), DEAD_LETTERS];
const NO_COUNTS = { created: 0, retry: 0, active: 0, completed: 0, cancelled: 0, failed: 0 } satisfies Record<
  JobState,
  number
>;

const COLUMNS = `id, name as queue, state::text as state, data, retry_count + (state in ('completed', 'failed'))::int as attempts,
  retry_limit + 1 as "maxAttempts", coalesce(source_output, output)->>'message' as error, source_name as "deadLetterOf", created_on as "createdAt",
  start_after as "startAfter", started_on as "startedAt", completed_on as "endedAt", created_on::text as place`;

/** What stands in the tables of the queue, and what can be done about it by hand. */
export class JobLedger {
  readonly #parts: JobLedgerParts;
  readonly #jobs: string;

  constructor(parts: JobLedgerParts) {
    this.#parts = parts;
    this.#jobs = `${parts.schema}.job`;
  }

  /** Every queue, in the order of their names, `dead-letters` among them. */
  async queues(db: QueueConnection): Promise<QueueSummary[]> {
    this.#parts.boss();
    const { rows } = await db.query<{ name: string; state: JobState; count: number; since: Date | null }>(
      `select name, state::text as state, count(*)::int as count,
         min(greatest(created_on, start_after)) filter (where state in ('created', 'retry') and start_after <= now()) as since
       from ${this.#jobs} group by name, state`,
    );
    return [...QUEUES].sort().map((name) => {
      const own = rows.filter((row) => row.name === name);
      const since = own.flatMap((row) => row.since ?? []).sort((a, b) => a.getTime() - b.getTime());
      return {
        name,
        every: JOB_SETTINGS[name as JobName]?.every ?? null,
        counts: { ...NO_COUNTS, ...Object.fromEntries(own.map(({ state, count }) => [state, count])) },
        waitingSince: since[0] ?? null,
      };
    });
  }

  /** Jobs that failed for the last time. */
  async countDeadLetters(db: QueueConnection): Promise<number> {
    this.#parts.boss();
    const { rows } = await db.query<{ count: number }>(
      `select count(*)::int as count from ${this.#jobs} where name = $1 and state = 'created'`,
      [DEAD_LETTERS],
    );
    return rows[0]?.count ?? 0;
  }

  /** The newest first, one more than `limit`. */
  async list(db: QueueConnection, { queue, state, limit, after }: JobListing): Promise<JobRow[]> {
    this.#parts.boss();
    const { rows } = await db.query<JobRow>(
      `select ${COLUMNS} from ${this.#jobs}
       where ($1::text is null or name = $1) and ($2::text is null or state::text = $2)
         and ($3::timestamptz is null or (created_on, id) < ($3, $4::uuid))
       order by created_on desc, id desc limit $5`,
      [queue ?? null, state ?? null, after?.place ?? null, after?.id ?? null, limit + 1],
    );
    return rows;
  }

  /** @param lock keeps others from changing it until the transaction ends */
  async find(db: QueueConnection, id: string, lock = false): Promise<JobRow | null> {
    this.#parts.boss();
    const { rows } = await db.query<JobRow>(
      `select ${COLUMNS} from ${this.#jobs} where id = $1::uuid ${lock ? 'for update' : ''}`,
      [id],
    );
    return rows[0] ?? null;
  }

  /**
   * Has a job that failed for the last time done once more, at once; of a dead letter, the job that it is of.
   * @throws CarcosaError `conflict` for a job that has not failed, or of which another is under way
   */
  async retry(tx: QueueConnection, job: JobRow): Promise<void> {
    const boss = this.#parts.boss();
    if (job.queue === DEAD_LETTERS) {
      const moved = await boss.redrive(DEAD_LETTERS, { ids: [job.id], db: connectionOf(tx) });
      if (moved === 0) throw new CarcosaError('conflict', { message: 'This job cannot be put back into its queue.' });
    } else {
      if (job.state !== 'failed')
        throw new CarcosaError('conflict', {
          message: `Only a job that has failed can be retried; this one is ${job.state}.`,
        });
      await this.#revive(tx, job.queue, [job.id]);
    }
    await this.#parts.announce(tx, job.deadLetterOf ?? job.queue);
  }

  /**
   * The same for all jobs that failed, or those of one queue, up to 1,000 of each kind: call it again while it gives as many. Scheduled jobs
   * are left alone: their next round makes up for them.
   * @returns how many
   */
  async retryAll(tx: QueueConnection, queue: string | undefined): Promise<number> {
    const names = QUEUES.filter(
      (name) => JOB_SETTINGS[name as JobName]?.every === undefined && name !== DEAD_LETTERS,
    ).filter((name) => queue === undefined || queue === name || queue === DEAD_LETTERS);
    let count = 0;
    for (const name of names) {
      const { rows } = await tx.query<{ id: string }>(
        `select id from ${this.#jobs} where name = $1 and state = 'failed' order by created_on limit ${BATCH} for update skip locked`,
        [name],
      );
      if (rows.length > 0)
        await this.#revive(
          tx,
          name,
          rows.map(({ id }) => id),
        );
      const options = { sourceName: name, limit: BATCH, db: connectionOf(tx) };
      count += rows.length + (await this.#parts.boss().redrive(DEAD_LETTERS, options));
      await this.#parts.announce(tx, name);
    }
    return count;
  }

  /**
   * Takes a job that waits out of its queue; one that runs goes on to its end where it runs, and is not tried again.
   * @throws CarcosaError `conflict` for one that has ended
   */
  async cancel(tx: QueueConnection, { id, queue, state }: JobRow): Promise<void> {
    if (!['created', 'retry', 'active'].includes(state))
      throw new CarcosaError('conflict', { message: `This job has ended already: it is ${state}.` });
    await this.#parts.boss().cancel(queue, id, { db: connectionOf(tx) });
  }

  /** What comes back has no need of its dead letter: it would be done twice. */
  async #revive(tx: QueueConnection, queue: string, ids: string[]): Promise<void> {
    try {
      await this.#parts.boss().retry(queue, ids, { db: connectionOf(tx) });
    } catch (error) {
      if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
      throw new CarcosaError('conflict', { message: 'Another job of this queue is under way already.', cause: error });
    }
    await tx.query(`delete from ${this.#jobs} where name = $1 and source_id = any($2::uuid[])`, [DEAD_LETTERS, ids]);
  }
}

import type { JobData, JobName } from '@carcosa/contracts';
import { JOBS } from '@carcosa/contracts';
import { CarcosaError, type Logger, noTracing, type Tracing } from '@carcosa/kernel';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { connectionOf, type QueueConnection } from './connection.ts';
import type { JobHandlers } from './job-handlers.ts';
import { JobLedger } from './job-ledger.ts';
import { DEAD_LETTERS, JOB_SETTINGS, queueOptions } from './job-settings.ts';
import { JobWorker } from './job-worker.ts';

/** The schema of the database that pg-boss keeps its tables in. */
export const JOBS_SCHEMA = 'carcosa_jobs';
/** Channel on which `{job}` is announced when one was enqueued. */
export const JOBS_CHANNEL = 'carcosa_jobs';
/** Connections of the queue's own, so that jobs and requests never wait for each other's. */
const CONNECTIONS = 2;
/** Milliseconds that an enqueue waits for the queue to be up, shortly after a start. */
const START_PATIENCE_MS = 5_000;
const RESTART_PAUSE_MS = 5_000;
const JOB_NAMES = Object.keys(JOBS) as JobName[];

/** Seconds between two looks for jobs whose workers have died. */
const SUPERVISE_SECONDS = 60;

export interface JobQueueOptions {
  connectionString: string;
  logger: Logger;
  /** Absent: nobody traces. */
  tracing?: Tracing;
  /**
   * Hears what other processes announce; `missed` is called when announcements may have been lost, and once listening has begun.
   */
  subscribe(channel: string, heard: (payload: Record<string, unknown>) => void, missed: () => void): () => void;
  /** Seconds between two looks for jobs whose workers have died, at least 1; absent: 60. */
  superviseSeconds?: number;
}

export interface JobCount {
  name: string;
  /** As pg-boss has them: created, retry, active, completed, cancelled, failed. */
  state: string;
  count: number;
}

export type JobTally = Readonly<JobWorker['tally']>;

export interface EnqueueOptions {
  /** Seconds from now. */
  startAfter?: number;
}

/**
 * Jobs in PostgreSQL, over pg-boss: made in the transaction that causes them, done at least once, by one worker at a time.
 */
export class JobQueue {
  /** What stands in the queue, for who looks after it. */
  readonly ledger: JobLedger;
  readonly #options: JobQueueOptions;
  readonly #pool: pg.Pool;
  readonly #boss: PgBoss;
  readonly #started = Promise.withResolvers<void>();
  readonly #closing = new AbortController();
  #isStarted = false;
  #workers = new Map<JobName, JobWorker>();
  #timers: NodeJS.Timeout[] = [];
  #unsubscribe: () => void = () => {};
  #starting: Promise<void> | undefined;

  constructor(options: JobQueueOptions) {
    this.#options = options;
    const { connectionString, logger } = options;
    this.#pool = new pg.Pool({
      connectionString,
      max: CONNECTIONS,
      idleTimeoutMillis: 30_000,
      connectionTimeoutMillis: 10_000,
      application_name: 'carcosa-jobs',
    });
    this.#pool.on('error', (error) => {
      // What we close ourselves may still hear that the server stops.
      if (!this.#pool.ending) logger.warn({ err: error }, 'a connection of the job queue was lost');
    });
    this.#pool.on('connect', (client) => client.on('error', () => {}));
    const superviseSeconds = options.superviseSeconds ?? SUPERVISE_SECONDS;
    this.#boss = new PgBoss({
      db: connectionOf(this.#pool),
      schema: JOBS_SCHEMA,
      schedule: false,
      reindex: false,
      superviseIntervalSeconds: superviseSeconds,
      monitorIntervalSeconds: superviseSeconds,
    });
    this.#boss.on('error', (error) => logger.warn({ err: error }, 'the job queue met an error'));
    this.#boss.on('warning', (warning) => logger.warn({ warning }, 'the job queue has a warning'));
    this.#started.promise.catch(() => {});
    this.ledger = new JobLedger({
      schema: JOBS_SCHEMA,
      boss: () => {
        if (!this.#isStarted) throw new CarcosaError('overloaded', { retryAfter: 1 });
        return this.#boss;
      },
      announce,
    });
  }

  /**
   * Brings the queue up in the background, and tries again for as long as the database does not answer.
   * @param handlers what to do with each job; null in a process that only makes them
   * @throws Error when a job has no handler
   */
  start(handlers: JobHandlers | null): void {
    const all = handlers?.all();
    this.#starting = this.#startUntilUp(() => {
      if (all) this.#work(all);
    });
  }

  /** Resolves when jobs can be enqueued and, in a worker, are being done. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /**
   * Makes a job: it exists if and only if the transaction of `db` commits.
   * @throws CarcosaError `overloaded` when the queue is not up yet and does not come up in time
   */
  async enqueue<Name extends JobName>(
    db: QueueConnection,
    name: Name,
    data: JobData<Name>,
    options: EnqueueOptions = {},
  ): Promise<void> {
    await this.#waitUntilStarted();
    const { tracing = noTracing } = this.#options;
    // The job is part of the trace that caused it, also on another node. Its own schema knows nothing of this.
    const traceparent = tracing.traceparent();
    const carried = traceparent === undefined ? data : { ...data, traceparent };
    const id = await this.#boss.send(name, carried, { ...options, db: connectionOf(db) });
    if (id !== null) await announce(db, name);
  }

  /** Whether jobs can be enqueued. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** @throws CarcosaError `overloaded` before it is up, or the error of the database */
  async check(): Promise<void> {
    if (!this.#isStarted) throw new CarcosaError('overloaded');
    await this.#pool.query('select 1');
  }

  /** What this process did of each job since its start. */
  get tallies(): ReadonlyMap<JobName, JobTally> {
    return new Map([...this.#workers].map(([name, { tally }]) => [name, tally]));
  }

  /** Jobs by name and state, `dead-letters` among the names. A scan of the jobs' table: not for every request. */
  async counts(): Promise<JobCount[]> {
    if (!this.#isStarted) return [];
    const text = `select name, state::text as state, count(*)::int as count from ${JOBS_SCHEMA}.job group by name, state`;
    return (await this.#pool.query<JobCount>(text)).rows;
  }

  /**
   * Takes no more jobs, waits up to `patience` milliseconds for those that run, and leaves the rest to be done elsewhere. Jobs can be made
   * still: requests that are under way need that.
   */
  async stopWorking(patience = 5_000): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#unsubscribe();
    await Promise.all([...this.#workers.values()].map((worker) => worker.close(patience)));
  }

  /** Takes no more jobs, waits up to `patience` milliseconds for those that run, and closes the connections. */
  async close(patience = 5_000): Promise<void> {
    this.#closing.abort();
    this.#started.reject(new CarcosaError('shutting_down'));
    await this.#starting;
    await this.stopWorking(patience);
    await this.#boss.stop({ graceful: false });
    await this.#pool.end();
  }

  async #startUntilUp(then: () => void): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#boss.start();
        await this.#makeQueues();
        then();
        this.#isStarted = true;
        this.#started.resolve();
        return;
      } catch (error) {
        this.#options.logger.warn({ err: error }, 'the job queue could not be started; trying again');
        await this.#boss.stop({ graceful: false }).catch(() => {});
        await this.#pause();
      }
    }
  }

  async #makeQueues(): Promise<void> {
    const known = new Set((await this.#boss.getQueues()).map((queue) => queue.name));
    if (!known.has(DEAD_LETTERS)) await this.#boss.createQueue(DEAD_LETTERS, { retentionSeconds: 90 * 24 * 3600 });
    for (const name of JOB_NAMES) {
      const options = queueOptions(JOB_SETTINGS[name]);
      if (known.has(name)) await this.#boss.updateQueue(name, options);
      else
        await this.#boss.createQueue(name, {
          ...options,
          policy: JOB_SETTINGS[name].every === undefined ? 'standard' : 'exclusive',
        });
    }
  }

  #work(handlers: ReturnType<JobHandlers['all']>): void {
    const { logger, subscribe, tracing = noTracing } = this.#options;
    for (const [name, handle] of handlers) {
      const { concurrency, every } = JOB_SETTINGS[name];
      this.#workers.set(name, new JobWorker({ boss: this.#boss, name, concurrency, handle, logger, tracing }));
      if (every !== undefined) this.#schedule(name, every);
    }
    this.#unsubscribe = subscribe(
      JOBS_CHANNEL,
      ({ job }) => this.#workers.get(job as JobName)?.wake(),
      () => {
        for (const worker of this.#workers.values()) worker.wake();
      },
    );
  }

  /** Every node tries at the same rate; of one time slot pg-boss keeps one job. */
  #schedule(name: JobName, every: number): void {
    const tick = (): void => {
      this.#boss.send(name, {}, { singletonKey: name, singletonSeconds: every }).then(
        (id) => {
          if (id !== null) this.#workers.get(name)?.wake();
        },
        (error: unknown) => this.#options.logger.warn({ err: error, job: name }, 'could not schedule a job'),
      );
    };
    tick();
    const timer = setInterval(tick, every * 1000);
    timer.unref();
    this.#timers.push(timer);
  }

  async #waitUntilStarted(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new CarcosaError('overloaded', { retryAfter: 1 })), START_PATIENCE_MS);
    });
    await Promise.race([this.#started.promise, tooLate]).finally(() => clearTimeout(timer));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RESTART_PAUSE_MS);
      this.#closing.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

async function announce(db: QueueConnection, name: string): Promise<void> {
  await db.query('select pg_notify($1, $2)', [JOBS_CHANNEL, JSON.stringify({ job: name })]);
}

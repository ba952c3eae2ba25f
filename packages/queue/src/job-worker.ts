import type { JobName } from '@carcosa/contracts';
import type { Logger, Tracing } from '@carcosa/kernel';
import type { JobWithMetadata, PgBoss } from 'pg-boss';
import type { JobContext } from './job-handlers.ts';
import { HEARTBEAT_SECONDS } from './job-settings.ts';

/** How long a worker sleeps when nobody wakes it, in milliseconds: retries and delayed jobs come due silently. */
const POLL_MS = 10_000;
const MAX_PAUSE_MS = 30_000;
/** Milliseconds that an aborted job gets to end. */
const ABORT_MS = 1_000;

export interface JobWorkerParts {
  boss: PgBoss;
  name: JobName;
  concurrency: number;
  handle: (data: unknown, context: JobContext) => Promise<void>;
  logger: Logger;
  tracing: Tracing;
}

type FetchedJob = Pick<JobWithMetadata<unknown>, 'id' | 'data' | 'retryCount' | 'retryLimit'>;

/** Fetches the jobs of one queue in batches, as soon as it is woken and while there are any. */
export class JobWorker {
  /** Attempts that this process made, since its start, and milliseconds that they took. */
  readonly tally = { done: 0, failed: 0, milliseconds: 0 };
  readonly #parts: JobWorkerParts;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, FetchedJob>();
  readonly #loop: Promise<void>;
  readonly #heartbeat: NodeJS.Timeout;
  #stopping = false;
  #closed: Promise<void> | undefined;
  #woken = false;
  #wake: () => void = () => {};

  constructor(parts: JobWorkerParts) {
    this.#parts = parts;
    this.#heartbeat = setInterval(() => void this.#touch(), (HEARTBEAT_SECONDS * 1000) / 3);
    this.#heartbeat.unref();
    this.#loop = this.#run();
  }

  /** There may be something to do. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /**
   * Takes nothing new and waits for what runs; after `patience` milliseconds what still runs is aborted, and a second later left alone: either
   * way it is retried elsewhere. Called again, it waits for the same.
   */
  close(patience: number): Promise<void> {
    this.#closed ??= this.#close(patience);
    return this.#closed;
  }

  async #close(patience: number): Promise<void> {
    this.#stopping = true;
    this.#wake();
    const abort = setTimeout(() => this.#stop.abort(new Error('the process stops')), patience);
    let leave: NodeJS.Timeout | undefined;
    const left = new Promise<void>((resolve) => {
      leave = setTimeout(resolve, patience + ABORT_MS);
    });
    await Promise.race([this.#loop, left]);
    clearTimeout(abort);
    clearTimeout(leave);
    clearInterval(this.#heartbeat);
  }

  async #run(): Promise<void> {
    let pause = 0;
    while (!this.#stopping) {
      this.#woken = false;
      try {
        const didSome = await this.#doBatch();
        pause = 0;
        if (!didSome) await this.#sleep(POLL_MS);
      } catch (error) {
        pause = Math.min(MAX_PAUSE_MS, pause * 2 || 1000);
        this.#parts.logger.warn({ err: error, job: this.#parts.name }, 'could not fetch jobs; trying again');
        await this.#sleep(pause);
      }
    }
  }

  async #doBatch(): Promise<boolean> {
    const { boss, name, concurrency } = this.#parts;
    const jobs = await boss.fetch<unknown>(name, { batchSize: concurrency, includeMetadata: true });
    if (jobs.length === 0) return false;
    const done = await Promise.all(jobs.map(async (job) => ((await this.#do(job)) ? job : null)));
    const finished = done.filter((job) => job !== null);
    // By attempt: a job that was taken from us meanwhile is not ours to finish.
    if (finished.length > 0) await boss.complete(name, finished.map(attemptOf));
    return true;
  }

  async #do(job: FetchedJob): Promise<boolean> {
    const { boss, name, handle, logger, tracing } = this.#parts;
    this.#running.set(job.id, job);
    const begun = performance.now();
    try {
      const parent = (job.data as { traceparent?: string } | null)?.traceparent;
      const options = { kind: 'consumer', parent, attributes: { 'carcosa.job': name } } as const;
      await tracing.span(`job ${name}`, options, () => handle(job.data, { signal: this.#stop.signal }));
      this.tally.done += 1;
      return true;
    } catch (error) {
      this.tally.failed += 1;
      const fields = { err: error, job: name, id: job.id, attempt: job.retryCount + 1 };
      if (job.retryCount < job.retryLimit) logger.warn(fields, 'a job failed');
      else logger.error(fields, 'a job failed for the last time');
      await boss.fail(name, attemptOf(job), { message: error instanceof Error ? error.message : String(error) });
      return false;
    } finally {
      this.tally.milliseconds += performance.now() - begun;
      this.#running.delete(job.id);
    }
  }

  async #touch(): Promise<void> {
    const running = [...this.#running.values()].map(attemptOf);
    if (running.length === 0) return;
    await this.#parts.boss.touch(this.#parts.name, running).catch((error: unknown) => {
      this.#parts.logger.warn({ err: error, job: this.#parts.name }, 'could not say that a job is still running');
    });
  }

  async #sleep(milliseconds: number): Promise<void> {
    if (this.#woken || this.#stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const attemptOf = ({ id, retryCount }: FetchedJob) => ({ id, retryCount });

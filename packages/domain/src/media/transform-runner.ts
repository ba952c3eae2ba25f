import { MediaStep, type StepOutcome } from '@carcosa/contracts';
import {
  countJobItems,
  endJobItem,
  endTransformJob,
  findSource,
  type JobId,
  nextJobItem,
  noteJobItem,
  noteTransformProgress,
  type Queryable,
  type SourceRow,
  startTransformJob,
  type TransformJobRow,
} from '@carcosa/database';
import { CarcosaError, type Clock, type IdGenerator, isId, type Logger } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { OperationProgress } from '../realtime/operation-progress.ts';
import type { StepMaker } from './step-maker.ts';
import type { WorkFolders } from './work-folders.ts';

export interface TransformRunnerParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  logger: Logger;
  progress: Pick<OperationProgress, 'report' | 'forget'>;
  maker: StepMaker;
  folders: WorkFolders;
}

/** Milliseconds between two notes of the progress, with which it is also asked whether the job was called off. */
const NOTE_MS = 1000;

interface Failure {
  code: string;
  message: string;
}

/** A job as it is being done. */
interface Run {
  readonly job: TransformJobRow;
  /** Names this attempt. */
  readonly runner: string;
  readonly steps: readonly MediaStep[];
  readonly into: 'files' | 'versions';
  readonly signal: AbortSignal;
  /** Percent. */
  report(progress: number, step: string | null): void;
}

/** Does transform jobs: what one process had to leave, another goes on with. */
export class TransformRunner {
  readonly #parts: TransformRunnerParts;
  readonly #running = new Set<string>();

  constructor(parts: TransformRunnerParts) {
    this.#parts = parts;
  }

  /**
   * Does a job to its end; what is wrong with it is its outcome. Doing one again that has ended does nothing.
   * @throws what the signal says when the process stops: it is to be done again then
   */
  async run(id: string, { signal }: { signal: AbortSignal }): Promise<void> {
    // One that was given to us a second time is in good hands.
    if (this.#running.has(id)) return;
    this.#running.add(id);
    await this.#run(id, signal).finally(() => this.#running.delete(id));
  }

  async #run(id: string, signal: AbortSignal): Promise<void> {
    const runner = this.#parts.ids.next('process');
    const job = isId('job', id) ? await this.#start(id, runner) : null;
    if (!job) return;
    const called = new AbortController();
    let [percent, step]: [number, string | null] = [job.progress, job.step];
    const report = (progress: number, at: string | null): void => {
      [percent, step] = [Math.min(99, Math.floor(progress)), at];
      this.#parts.progress.report({ id, status: 'processing', progress: percent, ...(at ? { step: at } : {}) });
    };
    report(job.progress, job.step);
    const note = setInterval(() => {
      noteTransformProgress(this.#parts.db, job.id, { runner, progress: percent, step })
        .then((told) => told === 'go-on' || called.abort(told))
        .catch((error: unknown) =>
          this.#parts.logger.warn({ err: error, id }, 'the progress of a job could not be noted'),
        );
    }, NOTE_MS);
    const { steps, into } = job.input as { steps: unknown[]; into: 'files' | 'versions' };
    const run = {
      ...{ job, runner },
      steps: steps.map((each) => MediaStep.parse(each)),
      into,
      signal: AbortSignal.any([signal, called.signal]),
      report,
    };
    try {
      await this.#finish(run, called.signal, signal);
    } finally {
      clearInterval(note);
      this.#parts.progress.forget(id);
    }
  }

  async #finish(run: Run, called: AbortSignal, stops: AbortSignal): Promise<void> {
    const { job } = run;
    try {
      const results = job.kind === 'batch' ? await this.#runBatch(run) : await this.#runFile(run);
      await this.#end(run, { status: 'completed', results });
    } catch (error) {
      if (stops.aborted) throw error;
      if (called.aborted) {
        // Who has taken it over says how it ends.
        if (called.reason === 'cancelled') await this.#end(run, { status: 'cancelled' });
        return;
      }
      await this.#end(run, { status: 'failed', error: this.#failureOf(error, job) });
    }
  }

  async #runFile(run: Run): Promise<StepOutcome[]> {
    const { job, runner, report } = run;
    const source = job.fileId === null ? null : await findSource(this.#parts.db, job.fileId, job.version);
    if (!source) throw new CarcosaError('not_found', { message: 'The file is gone.' });
    return await this.#make(run, source, {
      done: job.results as StepOutcome[],
      onProgress: (done, step) => report(100 * done, step),
      onStep: async (results) => {
        await noteTransformProgress(this.#parts.db, job.id, {
          runner,
          progress: Math.min(99, job.progress),
          step: null,
          results,
        });
      },
    });
  }

  /** Each file by itself: one that fails does not touch the others. */
  async #runBatch({ job, ...run }: Run): Promise<StepOutcome[]> {
    const { db, clock } = this.#parts;
    const { total, completed, failed } = await countJobItems(db, job.id);
    let ended = completed + failed;
    for (;;) {
      run.signal.throwIfAborted();
      const item = await nextJobItem(db, job.id);
      if (!item) return [];
      const results = [...(item.results as StepOutcome[])];
      const work = async (): Promise<Failure | null> => {
        const source = await findSource(db, item.fileId, item.version);
        if (!source) return { code: 'not_found', message: 'The file is gone.' };
        const made = await this.#make({ ...run, job }, source, {
          done: results,
          onProgress: (done, step) => run.report((100 * (ended + done)) / total, step),
          onStep: (outcomes) => noteJobItem(db, job.id, item.position, outcomes),
        });
        results.splice(0, results.length, ...made);
        return null;
      };
      const error = await work().catch((reason: unknown) => {
        if (run.signal.aborted) throw reason;
        return this.#failureOf(reason, job);
      });
      const status = error === null ? 'completed' : 'failed';
      await endJobItem(db, job.id, item.position, { status, results, error, now: clock.now() });
      ended += 1;
      run.report((100 * ended) / total, null);
    }
  }

  async #make(
    { job, steps, into, signal }: Omit<Run, 'report'>,
    source: SourceRow,
    hooks: Pick<Parameters<StepMaker['make']>[0], 'done' | 'onProgress' | 'onStep'>,
  ): Promise<StepOutcome[]> {
    const { folders, maker } = this.#parts;
    return await folders.use((folder) => maker.make({ jobId: job.id, source, steps, into, folder, signal, ...hooks }));
  }

  async #start(id: JobId, runner: string): Promise<TransformJobRow | null> {
    const { transaction, clock } = this.#parts;
    return await transaction(async (tx) => {
      const job = await startTransformJob(tx, id, { runner, now: clock.now() });
      if (job?.begins) await this.#record(tx, job, 'transform.start', {});
      return job;
    });
  }

  async #end(
    { job, runner }: Run,
    end: { status: 'completed' | 'failed' | 'cancelled'; results?: StepOutcome[]; error?: Failure },
  ): Promise<void> {
    const { transaction, clock, progress } = this.#parts;
    const hasEnded = await transaction(async (tx) => {
      if (!(await endTransformJob(tx, job.id, { ...end, runner, now: clock.now() }))) return false;
      const items = job.kind === 'batch' ? { items: await countJobItems(tx, job.id) } : {};
      if (end.status === 'completed')
        await this.#record(tx, job, 'transform.complete', { results: end.results ?? [], ...items });
      if (end.status === 'failed') await this.#record(tx, job, 'transform.fail', { error: end.error, ...items });
      return true;
    });
    if (!hasEnded) return;
    const { id } = job;
    if (end.status === 'completed') progress.report({ id, status: 'completed', progress: 100 });
    else
      progress.report({
        id,
        status: end.status,
        progress: Math.floor(job.progress),
        ...(end.error ? { error: end.error.code } : {}),
      });
  }

  #record(
    tx: Queryable,
    job: TransformJobRow,
    action: 'transform.start' | 'transform.complete' | 'transform.fail',
    more: object,
  ): Promise<void> {
    const { id, kind, origin, projectId, tenantId, fileId, version, path, input } = job;
    const after = { kind, origin, fileId, version, path, steps: input.steps, ...more };
    return record(tx, this.#parts.clock, SYSTEM, {
      action,
      resource: { type: 'transform', id },
      place: { projectId, tenantId },
      after,
    });
  }

  #failureOf(error: unknown, { id }: TransformJobRow): Failure {
    if (error instanceof CarcosaError && error.code !== 'internal_error')
      return { code: error.code, message: error.message };
    this.#parts.logger.error({ err: error, id }, 'a transform job failed by a fault of our own');
    const { code, message } = new CarcosaError('internal_error');
    return { code, message };
  }
}

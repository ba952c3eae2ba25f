import { JOBS, type JobData, type JobName } from '@carcosa/contracts';

export interface JobContext {
  /** Aborts when the process stops and will not wait any longer: the job is tried again elsewhere. */
  signal: AbortSignal;
}

/** Does one job. Jobs are delivered at least once, so doing it twice must do no harm. */
export type JobHandler<Name extends JobName> = (data: JobData<Name>, context: JobContext) => Promise<void>;

type AnyHandler = (data: unknown, context: JobContext) => Promise<void>;

/** Exactly one handler for every job of the contract; anything else is a fault that shows at boot. */
export class JobHandlers {
  readonly #handlers = new Map<JobName, AnyHandler>();

  /** @throws Error when `name` has a handler already */
  on<Name extends JobName>(name: Name, handler: JobHandler<Name>): this {
    if (this.#handlers.has(name)) throw new Error(`the job ${name} has two handlers`);
    this.#handlers.set(name, (data, context) => handler(JOBS[name].parse(data) as JobData<Name>, context));
    return this;
  }

  /** @throws Error that names every job without a handler */
  all(): ReadonlyMap<JobName, AnyHandler> {
    const missing = (Object.keys(JOBS) as JobName[]).filter((name) => !this.#handlers.has(name));
    if (missing.length > 0) throw new Error(`no handler for the job ${missing.join(', ')}`);
    return this.#handlers;
  }
}

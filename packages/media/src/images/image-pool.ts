import { rm } from 'node:fs/promises';
import { CarcosaError } from '@carcosa/kernel';
import { IMAGE_LIMITS, type ImageLimits } from './limits.ts';
import type { AnyTask, ImageFault, ImageResult } from './protocol.ts';
import { type Outcome, WorkerProcess } from './worker-process.ts';

export interface ImagePoolOptions {
  /** Processes at most; they are started when they are first needed. */
  readonly size: number;
  /** Pictures that may wait, at most. */
  readonly maxWaiting: number;
  readonly limits?: Partial<ImageLimits>;
}

export interface ImagePoolStatistics {
  readonly working: number;
  readonly waiting: number;
  /** Since the start: pictures that could not wait, and processes that were ended, or ended by themselves, at work. */
  readonly refused: number;
  readonly ended: { readonly time: number; readonly memory: number; readonly crash: number };
}

interface Waiting {
  readonly task: AnyTask;
  resolve(result: ImageResult): void;
  reject(error: CarcosaError): void;
}

/** Seconds after which one may ask again where too many wait. */
const RETRY_AFTER = 1;

/** Makes pictures in processes of their own, so that no picture can take the server down or its memory. */
export class ImagePool {
  readonly #options: ImagePoolOptions;
  readonly #limits: ImageLimits;
  readonly #busy = new Set<WorkerProcess>();
  #idle: WorkerProcess[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #tally = { refused: 0 };
  readonly #ended = { time: 0, memory: 0, crash: 0 };
  #lastId = 0;
  #isClosed = false;

  constructor(options: ImagePoolOptions) {
    this.#options = options;
    this.#limits = { ...IMAGE_LIMITS, ...options.limits };
  }

  /** Whether no picture is being made, or waits. */
  get isIdle(): boolean {
    return this.#busy.size === 0 && this.#waiting.length === 0;
  }

  get statistics(): ImagePoolStatistics {
    return { ...this.#tally, ended: { ...this.#ended }, working: this.#busy.size, waiting: this.#waiting.length };
  }

  /** Process ids of the workers that are there. */
  get workers(): number[] {
    return [...this.#busy, ...this.#idle].flatMap(({ pid }) => pid ?? []);
  }

  /**
   * Makes one picture.
   * @throws CarcosaError `image_unreadable`, `image_too_large`, `invalid_request` for a step that this picture does not allow,
   * `overloaded` when too many wait, `storage_unavailable`, `storage_full`, `shutting_down`. Nothing lies at the target then.
   */
  run(task: AnyTask): Promise<ImageResult> {
    if (this.#isClosed) return Promise.reject(new CarcosaError('shutting_down'));
    if (this.#busy.size >= this.#options.size && this.#waiting.length >= this.#options.maxWaiting) {
      this.#tally.refused += 1;
      return Promise.reject(new CarcosaError('overloaded', { retryAfter: RETRY_AFTER }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#next();
    });
  }

  /** Ends all processes; what is under way fails. */
  close(): void {
    this.#isClosed = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new CarcosaError('shutting_down'));
    for (const worker of [...this.#busy, ...this.#idle]) worker.kill();
  }

  #next(): void {
    while (this.#waiting.length > 0 && this.#busy.size < this.#options.size) {
      const waiting = this.#waiting.shift() as Waiting;
      void this.#work(this.#takeWorker(), waiting);
    }
  }

  #takeWorker(): WorkerProcess {
    this.#idle = this.#idle.filter(({ isAlive }) => isAlive);
    const worker = this.#idle.pop() ?? new WorkerProcess(this.#limits);
    this.#busy.add(worker);
    return worker;
  }

  async #work(worker: WorkerProcess, { task, resolve, reject }: Waiting): Promise<void> {
    this.#lastId += 1;
    const outcome = await worker.run(this.#lastId, task);
    this.#busy.delete(worker);
    if ('ended' in outcome && !this.#isClosed) this.#ended[outcome.ended] += 1;
    if (worker.isAlive) this.#idle.push(worker);
    // A worker that was killed left what it had written.
    else await rm(task.target, { force: true }).catch(() => {});
    if ('result' in outcome) resolve(outcome.result);
    else reject(this.#isClosed ? new CarcosaError('shutting_down') : errorOf(outcome));
    this.#next();
  }
}

const CODES = {
  unreadable: 'image_unreadable',
  'too-large': 'image_too_large',
  impossible: 'invalid_request',
  'source-missing': 'storage_unavailable',
  'disk-full': 'storage_full',
  failed: 'internal_error',
} as const satisfies Record<ImageFault, string>;

const ENDS = {
  time: 'It takes too long to read this picture.',
  memory: 'It takes too much memory to read this picture.',
  crash: 'The decoder broke down over this picture.',
};

function errorOf(outcome: Exclude<Outcome, { result: ImageResult }>): CarcosaError {
  if ('ended' in outcome) {
    const code = outcome.ended === 'crash' ? 'image_unreadable' : 'image_too_large';
    return new CarcosaError(code, { message: ENDS[outcome.ended] });
  }
  const code = CODES[outcome.fault];
  if (code === 'storage_unavailable' || code === 'internal_error') return new CarcosaError(code);
  const about = code === 'image_unreadable' ? 'This picture cannot be read: ' : '';
  return new CarcosaError(code, { message: `${about}${outcome.message}` });
}

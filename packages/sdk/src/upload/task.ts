import { type CarcosaError, cancelled, toCarcosaError } from '../errors.ts';
import type { Timing } from '../timing.ts';
import { ProgressMeter, type UploadProgress } from './progress.ts';
import type { Slots } from './slots.ts';

export type UploadState = 'waiting' | 'uploading' | 'paused' | 'completed' | 'failed' | 'cancelled';

/** One run: sends what is missing and gives the result. Rejects with `cancelled` as soon as the signal says so. */
export type RunUpload<Result> = (meter: ProgressMeter, signal: AbortSignal) => Promise<Result>;

export interface TaskParts<Result> {
  readonly name: string;
  readonly run: RunUpload<Result>;
  /** What comes as a stream cannot be sent again, so it cannot be paused. */
  readonly isPausable: () => boolean;
  /** After a cancellation: lets the server remove what has arrived. */
  readonly discard: () => Promise<void>;
  readonly slots: Slots;
  readonly timing: Timing;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
}

/**
 * An upload on its way. `await` it for what it becomes; meanwhile it can be watched, paused, resumed and cancelled.
 *
 * It rejects with a CarcosaError; after `cancel()`, with the code `cancelled`. A rejection that nobody awaits is not reported by the
 * platform: it is in `error` too.
 */
export class UploadTask<Result> implements PromiseLike<Result> {
  /** Of the file. */
  readonly name: string;
  readonly done: Promise<Result>;
  readonly #parts: TaskParts<Result>;
  readonly #meter: ProgressMeter;
  readonly #listeners = new Set<() => void>();
  #state: UploadState = 'waiting';
  #controller = new AbortController();
  #result: Result | undefined;
  #error: CarcosaError | undefined;
  #settle!: { resolve(result: Result): void; reject(error: CarcosaError): void };

  constructor(parts: TaskParts<Result>) {
    const { name, timing, signal, onProgress } = parts;
    this.name = name;
    this.#parts = parts;
    this.#meter = new ProgressMeter(timing, () => {
      onProgress?.(this.progress);
      this.#tell();
    });
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.done.catch(() => {});
    if (signal?.aborted) void this.cancel();
    else {
      const stop = (): void => void this.cancel();
      signal?.addEventListener('abort', stop, { once: true });
      this.done.finally(() => signal?.removeEventListener('abort', stop)).catch(() => {});
      void this.#go();
    }
  }

  get state(): UploadState {
    return this.#state;
  }

  get progress(): UploadProgress {
    return this.#meter.value;
  }

  /** Set when it has failed or was cancelled. */
  get error(): CarcosaError | undefined {
    return this.#error;
  }

  /** Set when it is completed. */
  get result(): Result | undefined {
    return this.#result;
  }

  /** Stops sending; what has arrived stays, and `resume` continues there. Without effect on what is over, and on streams. */
  pause(): void {
    if ((this.#state !== 'uploading' && this.#state !== 'waiting') || !this.#parts.isPausable()) return;
    this.#become('paused');
    this.#controller.abort();
  }

  /** Goes on after `pause`. What has failed is begun anew: it continues by itself where the first one stood. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#controller = new AbortController();
    this.#become('waiting');
    void this.#go();
  }

  /** Stops, and has what arrived removed. Resolves when the server has done so or cannot be reached. */
  async cancel(): Promise<void> {
    if (this.#state === 'completed' || this.#state === 'failed' || this.#state === 'cancelled') return;
    this.#error = cancelled();
    this.#become('cancelled');
    this.#controller.abort();
    this.#settle.reject(this.#error);
    await this.#parts.discard().catch(() => {});
  }

  /** Calls `listener` after each change of state or progress. @returns what ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting an upload is what most callers want
  then<Value = Result, Failure = never>(
    onDone?: ((result: Result) => Value | PromiseLike<Value>) | null,
    onFailure?: ((error: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Value | Failure> {
    return this.done.then(onDone, onFailure);
  }

  async #go(): Promise<void> {
    const { signal } = this.#controller;
    let release: (() => void) | undefined;
    try {
      release = await this.#parts.slots.take(signal);
      this.#become('uploading');
      const result = await this.#parts.run(this.#meter, signal);
      // It may have been paused between its last byte and the answer: it is completed all the same.
      if (this.#state !== 'uploading' && this.#state !== 'paused') return;
      this.#result = result;
      this.#become('completed');
      this.#settle.resolve(result);
    } catch (error) {
      if (signal.aborted) return;
      this.#error = toCarcosaError(error);
      this.#become('failed');
      this.#settle.reject(this.#error);
    } finally {
      release?.();
    }
  }

  #become(state: UploadState): void {
    this.#state = state;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

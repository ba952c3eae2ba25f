import type { Timing } from '../timing.ts';

export interface UploadProgress {
  /** Sent so far, those of the server's confirmation and those on their way. */
  readonly bytes: number;
  /** Of all; null for a stream of which nobody knows. */
  readonly total: number | null;
  /** From 0 to 1; 0 where the total is not known. */
  readonly fraction: number;
  /** Bytes a second of late; 0 before anything moved. */
  readonly speed: number;
  /** Seconds until the end at this speed; null while that cannot be said. */
  readonly remaining: number | null;
}

/** Speed is that of about so many milliseconds. */
const WINDOW_MS = 4_000;
/** Listeners hear of progress at most this often. */
const EVERY_MS = 100;

/** Adds up what several requests have sent. */
export class ProgressMeter {
  readonly #timing: Timing;
  readonly #report: () => void;
  readonly #moving = new Map<unknown, number>();
  readonly #marks: { at: number; bytes: number }[] = [];
  #confirmed = 0;
  #last = Number.NEGATIVE_INFINITY;
  total: number | null = null;

  constructor(timing: Timing, report: () => void) {
    this.#timing = timing;
    this.#report = report;
  }

  /** Begins anew at what the server has. */
  begin(confirmed: number): void {
    this.#confirmed = confirmed;
    this.#moving.clear();
    this.#marks.length = 0;
    this.#tick(true);
  }

  /** What a request has sent of its part so far. */
  sending(request: unknown, bytes: number): void {
    this.#moving.set(request, bytes);
    this.#tick(false);
  }

  /** A request is over; `stored` bytes of its part are with the server. */
  ended(request: unknown, stored: number): void {
    this.#moving.delete(request);
    this.#confirmed += stored;
    this.#tick(false);
  }

  get value(): UploadProgress {
    let bytes = this.#confirmed;
    for (const each of this.#moving.values()) bytes += each;
    const { total } = this;
    if (total !== null) bytes = Math.min(bytes, total);
    const [first] = this.#marks;
    const elapsed = first ? this.#timing.now() - first.at : 0;
    const speed = first && elapsed > 0 ? Math.max(0, (bytes - first.bytes) / elapsed) * 1000 : 0;
    const remaining = total !== null && speed > 0 ? (total - bytes) / speed : null;
    return { bytes, total, fraction: total === null ? 0 : total === 0 ? 1 : bytes / total, speed, remaining };
  }

  #tick(always: boolean): void {
    const now = this.#timing.now();
    if (!always && now - this.#last < EVERY_MS) return;
    this.#last = now;
    this.#marks.push({ at: now, bytes: this.value.bytes });
    while (this.#marks.length > 2 && now - (this.#marks[1]?.at ?? 0) > WINDOW_MS) this.#marks.shift();
    this.#report();
  }
}

import {
  acquireLease,
  type Lease,
  type Queryable,
  renewLeases,
  renewPartWriters,
  type UploadRow,
} from '@carcosa/database';
import { CarcosaError, type Logger, type UploadId } from '@carcosa/kernel';
import { type Actor, SYSTEM } from '../access/actor.ts';
import type { Notifications } from '../notifications.ts';

/** Renewed three times within its life, so that one lost renewal costs nothing. */
const RENEW_EVERY_MS = 10_000;
/** After this long without a renewal we no longer trust our lease, a while before others may take it. */
const TRUST_MS = 22_000;
/** How long somebody who comes second waits for the first to save and stop. */
const WAIT_MS = 5_000;
/** A holder that has received nothing for so long is taken for gone, and gives way. */
const IDLE_MS = 500;
const POLL_MS = 250;
const CHANNEL = 'carcosa_uploads';

export interface UploadLeasesOptions {
  db: Queryable;
  notifications: Notifications;
  logger: Logger;
  /** Names this process among all that share the database. */
  instance: string;
}

/** The right to write to one upload, as long as it lasts. */
export class HeldLease {
  readonly lease: Lease;
  /** As the row stood when the lease was granted, or as its holder has changed it since. */
  upload: UploadRow;
  /** Whether the holder before never released it: it may still be alive. */
  readonly takeover: boolean;
  /** For whom it is held: who completes an upload need not be who began it. */
  actor: Actor = SYSTEM;
  /** MD5 in hex of the whole content, where the door asked for it and one request brought all of it. */
  md5: string | null = null;
  readonly #abort = new AbortController();
  #trustedUntil: number;
  #lastActivity: number;

  constructor(upload: UploadRow, lease: Lease, takeover: boolean, askedAt: number) {
    this.upload = upload;
    this.lease = lease;
    this.takeover = takeover;
    this.#trustedUntil = askedAt + TRUST_MS;
    this.#lastActivity = performance.now();
  }

  /** Aborts when the holder must save what it has and stop. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Something arrived: the sender is alive. */
  touch(): void {
    this.#lastActivity = performance.now();
  }

  /** @throws CarcosaError `upload_fenced` when the lease may have lapsed, for example while the process was paused */
  assertTrusted(): void {
    if (performance.now() >= this.#trustedUntil) throw new CarcosaError('upload_fenced');
  }

  renewed(askedAt: number): void {
    this.#trustedUntil = askedAt + TRUST_MS;
  }

  lost(): void {
    this.#trustedUntil = 0;
    this.#abort.abort(new CarcosaError('upload_fenced'));
  }

  /** Somebody else wants to write. A sender that is alive goes first, unless `force`. */
  asked(force: boolean): void {
    if (force || performance.now() - this.#lastActivity >= IDLE_MS) this.stop(new CarcosaError('upload_locked'));
  }

  stop(reason: CarcosaError): void {
    this.#abort.abort(reason);
  }
}

/** One writer at a time for an upload, across processes: a lease in the database, with a fence that rises. */
export class UploadLeases {
  readonly instance: string;
  readonly #options: UploadLeasesOptions;
  readonly #held = new Map<UploadId, HeldLease>();
  readonly #intents = new Map<string, number>();
  readonly #parts = new Set<string>();
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout;
  #partCount = 0;

  constructor(options: UploadLeasesOptions) {
    this.#options = options;
    this.instance = options.instance;
    this.#unsubscribe = options.notifications.subscribe(CHANNEL, (payload) => this.#heard(payload));
    this.#timer = setInterval(() => void this.#renew(), RENEW_EVERY_MS);
    this.#timer.unref();
  }

  /**
   * Takes the lease of an open upload; asks a holder to save and stop, and waits for it.
   * @returns null when the upload is not open
   * @throws CarcosaError `upload_locked` when the holder goes on
   */
  async acquire(
    id: UploadId,
    options: { force?: boolean; signal?: AbortSignal; isOpen(): Promise<boolean> },
  ): Promise<HeldLease | null> {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      options.signal?.throwIfAborted();
      const askedAt = performance.now();
      const granted = await acquireLease(this.#options.db, id, this.instance);
      if (granted) {
        const { upload, takeover } = granted;
        return this.hold(new HeldLease(upload, { owner: this.instance, fence: upload.leaseFence }, takeover, askedAt));
      }
      if (!(await options.isOpen())) return null;
      if (performance.now() >= deadline) throw new CarcosaError('upload_locked', { retryAfter: 1 });
      await this.#ask(id, options.force ?? false);
      await this.#released(id);
    }
  }

  /** Counts a request of this process that wants to write, from before it has the lease until it has ended. */
  async intending<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    this.#intents.set(id, (this.#intents.get(id) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const others = (this.#intents.get(id) ?? 1) - 1;
      if (others > 0) this.#intents.set(id, others);
      else this.#intents.delete(id);
      this.#wake(id);
    }
  }

  /**
   * Waits until nobody in this process writes to an upload or is about to, and asks senders that are silent to stop: what came
   * over a connection that broke a moment ago counts before its client is told where to go on.
   */
  async settled(id: UploadId): Promise<void> {
    const deadline = performance.now() + WAIT_MS;
    while (this.#intents.has(id) && performance.now() < deadline) {
      this.#held.get(id)?.asked(false);
      await this.#released(id);
    }
  }

  /** Keeps a lease alive from now on. */
  hold(held: HeldLease): HeldLease {
    this.#held.set(held.upload.id, held);
    return held;
  }

  /** To be called when the row no longer names this process as holder. */
  drop(held: HeldLease): void {
    if (this.#held.get(held.upload.id) === held) this.#held.delete(held.upload.id);
    this.#wake(held.upload.id);
    if (this.#waiters.size > 0 || held.signal.aborted) {
      this.#publish({ released: held.upload.id });
    }
  }

  /** A name under which one part is written, kept alive until `done`. */
  partWriter(): { name: string; done(): void } {
    const name = `${this.instance}/${++this.#partCount}`;
    this.#parts.add(name);
    return { name, done: () => this.#parts.delete(name) };
  }

  /** Asks all holders in this process to save and stop; resolves when they have. */
  async close(): Promise<void> {
    const reason = new CarcosaError('shutting_down');
    for (const held of this.#held.values()) held.stop(reason);
    while (this.#held.size > 0) {
      const [id] = this.#held.keys();
      if (id) await this.#released(id);
    }
    clearInterval(this.#timer);
    this.#unsubscribe();
  }

  async #ask(id: UploadId, force: boolean): Promise<void> {
    const held = this.#held.get(id);
    if (held) held.asked(force);
    else this.#publish({ wanted: id, force });
  }

  #publish(payload: Record<string, unknown>): void {
    this.#options.notifications.publish(CHANNEL, payload).catch((error: unknown) => {
      // Others poll: it only takes them longer.
      this.#options.logger.debug({ err: error }, 'could not notify other nodes of an upload');
    });
  }

  #heard(payload: Record<string, unknown>): void {
    if (typeof payload.wanted === 'string') this.#held.get(payload.wanted as UploadId)?.asked(payload.force === true);
    if (typeof payload.released === 'string') this.#wake(payload.released);
  }

  #released(id: UploadId): Promise<void> {
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, waiters);
      const done = () => {
        clearTimeout(timer);
        waiters.delete(done);
        if (waiters.size === 0) this.#waiters.delete(id);
        resolve();
      };
      const timer = setTimeout(done, POLL_MS);
      waiters.add(done);
    });
  }

  #wake(id: string): void {
    for (const done of [...(this.#waiters.get(id) ?? [])]) done();
  }

  async #renew(): Promise<void> {
    const { db, logger } = this.#options;
    const askedAt = performance.now();
    const holding = [...this.#held];
    try {
      if (this.#parts.size > 0) await renewPartWriters(db, [...this.#parts]);
      if (holding.length === 0) return;
      const kept = new Set(
        await renewLeases(
          db,
          this.instance,
          holding.map(([id]) => id),
        ),
      );
      for (const [id, held] of holding) {
        if (kept.has(id)) held.renewed(askedAt);
        // Unless it was released while we asked.
        else if (this.#held.get(id) === held) held.lost();
      }
    } catch (error) {
      logger.warn({ err: error }, 'could not renew the leases of running uploads');
    }
  }
}

import { type AuditTarget, findAuditTargets, type Queryable, recordAudit } from '@carcosa/database';
import type { Clock, Logger } from '@carcosa/kernel';
import { actorId } from '../access/actor.ts';
import { type CountedRefusal, type Refusal, refusalEntries } from './refusal.ts';

/** Milliseconds between two looks at what is to be written: the longest that a crash can lose of first refusals. */
const WRITE_EVERY_MS = 1_000;
/** Refusals that are alike and follow within so many milliseconds become one entry; a crash can lose so much of their counts. */
const WINDOW_MS = 60_000;
/**
 * Callers with what they were refused that are told apart at once. Strangers cost nothing to make, so they get less: of a flood, the
 * table grows by 100 entries a minute.
 */
const MAX_FOLDS = { known: 500, strangers: 100 };
/** Ids that are remembered of one of them. */
const MAX_IDS = 20;

export interface RefusalLogParts {
  db: Queryable;
  clock: Clock;
  logger: Logger;
}

interface Fold extends CountedRefusal {
  ids: Map<string, number>;
  /** When the counts so far are written. */
  dueAt: number;
  isStranger: boolean;
}

/**
 * Writes down who was refused what, apart from the requests, so that none waits for it. The first refusal of a caller is written
 * within a second; more of the same within a minute are counted, and written as one. Neither memory nor the table grows with a
 * flood: at most 600 callers are told apart in a minute, and of the others there is one entry for each reason.
 */
export class RefusalLog {
  /** Refusals since the start, and audit entries that stand for them. */
  readonly tally = { noted: 0, written: 0 };
  readonly #parts: RefusalLogParts;
  readonly #folds = new Map<string, Fold>();
  readonly #sizes = { known: 0, strangers: 0 };
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: RefusalLogParts) {
    this.#parts = parts;
  }

  /** Takes note of a refusal; costs a look into a map. */
  note(refusal: Refusal): void {
    // Nothing was named that could be there.
    if (refusal.result === 'not_found' && refusal.ids.length === 0) return;
    const now = this.#parts.clock.now();
    const fold = this.#foldFor(refusal, now);
    if (fold.count === 0) fold.first = now;
    fold.count += 1;
    this.tally.noted += 1;
    fold.last = now;
    for (const id of refusal.ids) {
      const times = fold.ids.get(id);
      if (times !== undefined || fold.ids.size < MAX_IDS) fold.ids.set(id, (times ?? 0) + 1);
    }
    this.#timer ??= setInterval(() => void this.write(), WRITE_EVERY_MS).unref();
  }

  /**
   * Writes what is due, or `all` that was counted. What cannot be written now is kept, and counted on.
   * @returns when it is written, or it is logged that it could not be
   */
  write(options: { all?: boolean } = {}): Promise<void> {
    this.#writing = this.#writing
      .then(() => this.#write(options.all === true))
      .catch((error: unknown) => {
        this.#parts.logger.warn({ err: error }, 'could not record who was refused; trying again');
      });
    return this.#writing;
  }

  /** Writes all. No refusal must be noted any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.write({ all: true });
  }

  #foldFor(refusal: Refusal, now: number): Fold {
    const isStranger = refusal.actor.type === 'anonymous';
    const key = keyOf(refusal);
    const known = this.#folds.get(key);
    if (known) return known;
    const kind = isStranger ? 'strangers' : 'known';
    const isFull = this.#sizes[kind] >= MAX_FOLDS[kind];
    if (!isFull) return this.#add(key, { refusal, isStranger, isOverflow: false }, now);
    const overflow = `overflow ${isStranger} ${refusal.result}`;
    const nobody = { ...refusal, actor: { type: 'anonymous' as const }, ids: [], account: undefined };
    return this.#folds.get(overflow) ?? this.#add(overflow, { refusal: nobody, isStranger, isOverflow: true }, now);
  }

  #add(key: string, what: Pick<Fold, 'refusal' | 'isStranger' | 'isOverflow'>, now: number): Fold {
    const fold = { ...what, count: 0, first: now, last: now, ids: new Map(), dueAt: now };
    this.#folds.set(key, fold);
    this.#sizes[what.isStranger ? 'strangers' : 'known'] += 1;
    return fold;
  }

  async #write(all: boolean): Promise<void> {
    const { db, clock } = this.#parts;
    const now = clock.now();
    const due = [...this.#folds].filter(([, fold]) => all || fold.dueAt <= now);
    const counted = due.filter(([, fold]) => fold.count > 0);
    if (counted.length > 0) {
      const written = counted.map(([, fold]): CountedRefusal => ({ ...fold, ids: new Map(fold.ids) }));
      const targets = await this.#targetsOf(written);
      const entries = written.flatMap((each) => refusalEntries(each, targets, clock));
      await recordAudit(db, entries);
      this.tally.written += entries.length;
      for (const [index, [, fold]] of counted.entries()) settle(fold, written[index] as CountedRefusal, now);
    }
    for (const [key, fold] of due) if (fold.count === 0 && fold.dueAt <= now) this.#drop(key, fold);
  }

  async #targetsOf(refusals: readonly CountedRefusal[]): Promise<Map<string, AuditTarget>> {
    const found = await findAuditTargets(this.#parts.db, {
      ids: [...new Set(refusals.flatMap(({ ids }) => [...ids.keys()]))],
      publicIds: refusals.flatMap(({ refusal }) => refusal.publicId ?? []),
      fileKeys: refusals.flatMap(({ refusal }) => refusal.fileKey ?? []),
    });
    return new Map(found.map((target) => [target.named, target]));
  }

  #drop(key: string, fold: Fold): void {
    this.#folds.delete(key);
    this.#sizes[fold.isStranger ? 'strangers' : 'known'] -= 1;
    if (this.#folds.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** What has been written counts no more; what came meanwhile does. */
function settle(fold: Fold, written: CountedRefusal, now: number): void {
  fold.count -= written.count;
  fold.first = fold.last;
  fold.dueAt = now + WINDOW_MS;
  for (const [id, times] of written.ids) {
    const left = (fold.ids.get(id) ?? 0) - times;
    if (left > 0) fold.ids.set(id, left);
    else fold.ids.delete(id);
  }
}

/** Who was refused what, and why. */
function keyOf({ actor, action, result, request, publicId, fileKey, account }: Refusal): string {
  const who = actor.type === 'anonymous' ? (actor.origin?.ipAddress ?? '') : actorId(actor);
  return [who, result, action, request.method, request.route, publicId, fileKey, account].join(' ');
}

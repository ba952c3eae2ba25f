import { isEnded, OPERATION_STATUSES, type OperationProgressMessage } from '@carcosa/contracts';
import type { ProjectId } from '@carcosa/kernel';
import type { Notifications } from '../notifications.ts';

/** Where an operation stands; the fields are those that clients see. */
export type OperationState = OperationProgressMessage;

/** An operation and where it belongs: who may follow it is decided by that. */
export interface Operation extends OperationState {
  projectId: ProjectId;
  tenantId: string | null;
  /** Of the file that it is about, for who is confined to a folder; null: those may not follow it. */
  path: string | null;
}

/** What clients see of an operation. */
export function stateOf({ id, status, progress, bytes, step, error }: OperationState): OperationState {
  return { id, status, progress, ...defined({ bytes, step, error }) };
}

const defined = <Fields extends object>(fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };

/** Where operations of some kind are looked up. */
export interface OperationSource {
  /** The operation as the database knows it; null for an id that is not one of these. */
  find(id: string): Promise<Operation | null>;
}

/** What whoever works on something tells. The port that jobs and uploads see. */
export interface Progress {
  /**
   * Says where an operation stands, as often as the caller likes: nothing is written or awaited, and those who follow are told at most four times a
   * second, and at once of the end. Progress is a hint and may be lost; what counts (that a job is done, that a file is there) is in the
   * database, and told as an event.
   */
  report(state: OperationState): void;
}

/** Milliseconds between two messages about one operation. */
const EVERY_MS = 250;
/** Milliseconds between two reminders that somebody follows an operation, and for how many one of them counts. */
const REMIND_MS = 10_000;
const WANTED_MS = 25_000;
/** Longest id of an operation. What others announce is kept for ids that could be one, and for no more than so many of them. */
const MAX_ID = 64;
const MAX_WANTED = 50_000;
const CHANNEL = 'carcosa_progress';

export interface OperationProgressParts {
  notifications: Notifications;
  /** Names this process among all that share the database. */
  instance: string;
}

interface Running {
  state: OperationState;
  /** When it was told last, by `performance.now()`. */
  toldAt: number;
  timer?: NodeJS.Timeout | undefined;
}

type Listener = (state: OperationState) => void;

/**
 * Carries progress from the process that works to the processes whose clients follow it. Nothing is sent between nodes about an operation that
 * nobody follows: a node whose client does so announces it, and whoever works on the operation answers with where it stands.
 *
 * A job tells by `progress.report({ id, status: 'processing', progress: 45 })`, and ends by `completed` with 100, `failed` or `cancelled`.
 * For clients to find it at all, its capability adds once a source: `progress.addSource({ find: (id) => … })`.
 */
export class OperationProgress implements Progress {
  readonly #parts: OperationProgressParts;
  readonly #sources: OperationSource[] = [];
  readonly #running = new Map<string, Running>();
  readonly #listeners = new Map<string, Set<Listener>>();
  /** What clients of other nodes follow, and until when that counts. */
  readonly #wanted = new Map<string, number>();
  readonly #unsubscribe: () => void;
  readonly #reminder: NodeJS.Timeout;

  constructor(parts: OperationProgressParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.notifications.subscribe(CHANNEL, (message) => this.#heard(message));
    this.#reminder = setInterval(() => this.#remind(), REMIND_MS).unref();
  }

  addSource(source: OperationSource): void {
    this.#sources.push(source);
  }

  report(state: OperationState): void {
    const running = this.#running.get(state.id);
    if (isEnded(state.status)) {
      this.forget(state.id);
      this.#tell(state);
      return;
    }
    if (!running) {
      this.#running.set(state.id, { state, toldAt: performance.now() });
      this.#tell(state);
      return;
    }
    running.state = state;
    if (running.timer || !this.isFollowed(state.id)) return;
    const wait = running.toldAt + EVERY_MS - performance.now();
    if (wait <= 0) this.#tellRunning(running);
    else running.timer = setTimeout(() => this.#tellRunning(running), wait).unref();
  }

  /** This process works on it no more, and it has not ended. */
  forget(id: string): void {
    clearTimeout(this.#running.get(id)?.timer);
    this.#running.delete(id);
  }

  /** Whether somebody follows it, here or at another node. */
  isFollowed(id: string): boolean {
    return this.#listeners.has(id) || (this.#wanted.get(id) ?? 0) > performance.now();
  }

  /** Where the operation stands by what is known here: by whoever works on it, else by the database. */
  async find(id: string): Promise<Operation | null> {
    if (id.length > MAX_ID) return null;
    for (const source of this.#sources) {
      const found = await source.find(id);
      if (!found) continue;
      const running = this.#running.get(id);
      return running && !isEnded(found.status) ? { ...found, ...running.state } : found;
    }
    return null;
  }

  /** Calls `listener` for each message about the operation until the returned function is called. */
  follow(id: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    if (listeners.size === 1 && !this.#running.has(id)) this.#publish({ wanted: [id] });
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  close(): void {
    clearInterval(this.#reminder);
    this.#unsubscribe();
    for (const id of [...this.#running.keys()]) this.forget(id);
  }

  #tellRunning(running: Running): void {
    running.timer = undefined;
    running.toldAt = performance.now();
    this.#tell(running.state);
  }

  #tell(state: OperationState): void {
    if (!this.isFollowed(state.id)) return;
    this.#tellHere(state);
    if ((this.#wanted.get(state.id) ?? 0) > performance.now()) this.#publish({ state });
  }

  #tellHere(state: OperationState): void {
    for (const listener of [...(this.#listeners.get(state.id) ?? [])]) listener(state);
  }

  #heard({ from, wanted, state }: Record<string, unknown>): void {
    if (from === this.#parts.instance) return;
    if (Array.isArray(wanted)) for (const id of wanted) if (typeof id === 'string') this.#want(id);
    if (isState(state)) this.#tellHere(state);
  }

  #want(id: string): void {
    if (id.length > MAX_ID || (this.#wanted.size >= MAX_WANTED && !this.#wanted.has(id))) return;
    this.#wanted.set(id, performance.now() + WANTED_MS);
    const running = this.#running.get(id);
    if (running) this.#publish({ state: running.state });
  }

  #remind(): void {
    const now = performance.now();
    for (const [id, until] of this.#wanted) if (until <= now) this.#wanted.delete(id);
    const ids = [...this.#listeners.keys()].filter((id) => !this.#running.has(id));
    // A word about the end may have been lost.
    void this.#lookForEnds(ids);
    // A notification of PostgreSQL has room for 8,000 bytes.
    for (let at = 0; at < ids.length; at += 100) this.#publish({ wanted: ids.slice(at, at + 100) });
  }

  async #lookForEnds(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const found = await this.find(id).catch(() => null);
      if (found && isEnded(found.status) && this.#listeners.has(id)) this.#tellHere(stateOf(found));
    }
  }

  #publish(message: Record<string, unknown>): void {
    // What is lost is told again soon, or found in the database.
    this.#parts.notifications.publish(CHANNEL, { from: this.#parts.instance, ...message }).catch(() => {});
  }
}

function isState(value: unknown): value is OperationState {
  if (typeof value !== 'object' || value === null) return false;
  const { id, status, progress } = value as Partial<OperationState>;
  return typeof id === 'string' && typeof progress === 'number' && OPERATION_STATUSES.some((each) => each === status);
}

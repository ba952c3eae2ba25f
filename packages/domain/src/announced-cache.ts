import type { Clock, Lookups } from '@carcosa/kernel';

export interface AnnouncedCacheOptions<Id extends string, Value> {
  clock: Clock;
  /** Most values that are remembered. */
  size: number;
  /** Milliseconds for which a change may go unnoticed by a node that is cut off. */
  lifetimeMs: number;
  /** Null: there is none; that is asked again each time. */
  load(id: Id): Promise<Value | null>;
}

/** Remembers what is asked on every request, and forgets it when any node announces that it has changed. */
export class AnnouncedCache<Id extends string, Value> {
  readonly lookups: Lookups = { hits: 0, misses: 0 };
  readonly #options: AnnouncedCacheOptions<Id, Value>;
  readonly #values = new Map<string, { value: Value; until: number }>();
  /** Rises with each change: what was read before is not remembered after it. */
  #changes = 0;

  constructor(options: AnnouncedCacheOptions<Id, Value>) {
    this.#options = options;
  }

  /** At once where it is remembered. */
  get(id: Id): Value | Promise<Value | null> {
    const remembered = this.#values.get(id);
    if (remembered && remembered.until > this.#options.clock.now()) {
      this.lookups.hits += 1;
      return remembered.value;
    }
    this.lookups.misses += 1;
    return this.#load(id);
  }

  /** Forgets one value, or all when the connection that announces changes was lost for a while. */
  invalidate(id?: string): void {
    this.#changes += 1;
    if (id === undefined) this.#values.clear();
    else this.#values.delete(id);
  }

  async #load(id: Id): Promise<Value | null> {
    const { clock, size, lifetimeMs, load } = this.#options;
    const changes = this.#changes;
    const value = await load(id);
    if (value === null || changes !== this.#changes) return value;
    this.#values.delete(id);
    this.#values.set(id, { value, until: clock.now() + lifetimeMs });
    const [oldest] = this.#values.keys();
    if (this.#values.size > size && oldest !== undefined) this.#values.delete(oldest);
    return value;
  }
}

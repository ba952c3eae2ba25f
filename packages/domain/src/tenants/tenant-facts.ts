import { findTenant, type Queryable, type TenantRow } from '@carcosa/database';
import type { Clock, TenantId } from '@carcosa/kernel';
import type { UploadTenant, UploadTenants } from '../uploads/upload-project.ts';

/** Most tenants that are remembered, and for how many milliseconds a change may go unnoticed by a node that is cut off. */
const CACHE_SIZE = 1000;
const CACHE_MS = 30_000;

/** Remembers tenants for what asks on every request; forgets one when it is changed on any node. */
export class TenantFactsCache implements UploadTenants {
  readonly #db: Queryable;
  readonly #clock: Clock;
  readonly #cache = new Map<string, { row: TenantRow; until: number }>();

  /** Rises with each change: what was read before is not remembered after it. */
  #changes = 0;

  constructor(parts: { db: Queryable; clock: Clock }) {
    this.#db = parts.db;
    this.#clock = parts.clock;
  }

  /** Null when there is none with that id. */
  async facts(id: TenantId): Promise<TenantRow | null> {
    const remembered = this.#cache.get(id);
    if (remembered && remembered.until > this.#clock.now()) return remembered.row;
    const changes = this.#changes;
    const row = await findTenant(this.#db, id);
    if (!row) return null;
    if (changes !== this.#changes) return row;
    this.#cache.delete(id);
    this.#cache.set(id, { row, until: this.#clock.now() + CACHE_MS });
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHE_SIZE && oldest !== undefined) this.#cache.delete(oldest);
    return row;
  }

  async uploadTenant(id: TenantId): Promise<UploadTenant | null> {
    const row = await this.facts(id);
    return row && { id, projectId: row.projectId, bucketId: row.bucketId, isSuspended: row.suspendedAt !== null };
  }

  /** Forgets one tenant, or all when the connection that announces changes was lost for a while. */
  invalidate(id?: string): void {
    this.#changes += 1;
    if (id === undefined) this.#cache.clear();
    else this.#cache.delete(id);
  }
}

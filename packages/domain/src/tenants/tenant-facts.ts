import { findTenant, type Queryable, type TenantRow } from '@carcosa/database';
import type { Clock, Lookups, TenantId } from '@carcosa/kernel';
import { AnnouncedCache } from '../announced-cache.ts';
import type { UploadTenant, UploadTenants } from '../uploads/upload-project.ts';

/** Most tenants that are remembered, and for how many milliseconds a change may go unnoticed by a node that is cut off. */
const LIMITS = { size: 1000, lifetimeMs: 30_000 };

/** Remembers tenants for what asks on every request; forgets one when it is changed on any node. */
export class TenantFactsCache implements UploadTenants {
  readonly #cache: AnnouncedCache<TenantId, TenantRow>;

  constructor({ db, clock }: { db: Queryable; clock: Clock }) {
    this.#cache = new AnnouncedCache({ clock, ...LIMITS, load: (id) => findTenant(db, id) });
  }

  get lookups(): Readonly<Lookups> {
    return this.#cache.lookups;
  }

  /** Null when there is none with that id. */
  async facts(id: TenantId): Promise<TenantRow | null> {
    return await this.#cache.get(id);
  }

  async uploadTenant(id: TenantId): Promise<UploadTenant | null> {
    const row = await this.facts(id);
    return row && { id, projectId: row.projectId, bucketId: row.bucketId, isSuspended: row.suspendedAt !== null };
  }

  /** Forgets one tenant, or all when the connection that announces changes was lost for a while. */
  invalidate(id?: string): void {
    this.#cache.invalidate(id);
  }
}

import type { CreateTenantBody, ListTenantsQuery, Page, Tenant, UpdateTenantBody } from '@carcosa/contracts';
import {
  deleteTenant,
  findProject,
  findTenant,
  insertTenant,
  isUniqueViolation,
  listTenants,
  type Queryable,
  type TenantRow,
  updateTenant,
} from '@carcosa/database';
import {
  type BucketId,
  CarcosaError,
  type Clock,
  type IdGenerator,
  isId,
  type ProjectId,
  type TenantId,
  toIsoString,
} from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { type AuditEvent, changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import type { ProjectBuckets, ProjectServiceParts } from '../projects/service.ts';

export interface TenantServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  ids: IdGenerator;
  clock: Clock;
  access: Access;
  buckets: ProjectBuckets;
  removeLater: ProjectServiceParts['removeLater'];
  /** Told of a tenant that was changed here, before the change is answered. */
  onChange: (id: string) => void;
}

/**
 * The customers of our user's app: who keeps their files apart. A key that is confined to one tenant sees that one alone. Every
 * method throws `not_found` for a project or tenant that the actor may not know of.
 */
export class TenantService {
  readonly #parts: TenantServiceParts;

  constructor(parts: TenantServiceParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `conflict` for an external id that the project has already */
  async create(actor: Actor, input: CreateTenantBody): Promise<Tenant> {
    const projectId = projectOf(actor, input.projectId);
    await this.#parts.access.authorizeWhole(actor, 'tenants:manage', projectId);
    const id = this.#parts.ids.next('tenant');
    const now = new Date(this.#parts.clock.now());
    return await externalIdOnce(() =>
      this.#parts.transaction(async (tx) => {
        const bucketId = await this.#bucket(tx, projectId, input.bucketId);
        const { name, metadata, externalId = id } = input;
        const row = await insertTenant(tx, {
          id,
          projectId,
          externalId,
          name,
          bucketId: bucketId ?? null,
          metadata,
          now,
        });
        await this.#record(tx, actor, row, { action: 'tenant.create', after: settable(row) });
        return viewOf(row);
      }),
    );
  }

  async list(actor: Actor, query: ListTenantsQuery): Promise<Page<Tenant>> {
    const projectId = projectOf(actor, query.projectId);
    const { tenantId } = await this.#parts.access.authorize(actor, 'tenants:manage', projectId);
    const after = afterId('tenants', query.cursor);
    const { externalId, limit } = query;
    const rows = await listTenants(this.#parts.db, { projectId, id: tenantId, externalId, limit, after });
    return pageOf('tenants', rows, limit, viewOf);
  }

  async get(actor: Actor, id: string): Promise<Tenant> {
    return viewOf(await this.find(actor, id));
  }

  /** @throws CarcosaError `conflict` for an external id that the project has already */
  async update(actor: Actor, id: string, input: UpdateTenantBody): Promise<Tenant> {
    const tenant = await this.#whole(actor, id);
    const now = new Date(this.#parts.clock.now());
    const { suspended, bucketId, ...change } = input;
    const suspendedAt = suspended === undefined ? undefined : suspended ? (tenant.suspendedAt ?? now) : null;
    const row = await externalIdOnce(() =>
      this.#parts.transaction(async (tx) => {
        const bucket = await this.#bucket(tx, tenant.projectId, bucketId);
        const updated = await updateTenant(tx, tenant.id, { ...change, suspendedAt, bucketId: bucket }, now);
        const changed = changedFields(settable(tenant), settable(updated ?? tenant));
        await this.#record(tx, actor, tenant, { action: 'tenant.update', ...changed });
        return updated;
      }),
    );
    this.#parts.onChange(tenant.id);
    if (!row) throw new CarcosaError('not_found');
    return viewOf(row);
  }

  /** Removes a tenant at once, and all of its files soon after. */
  async remove(actor: Actor, id: string): Promise<void> {
    const tenant = await this.#whole(actor, id);
    await this.#parts.transaction(async (tx) => {
      if (!(await deleteTenant(tx, tenant.id))) throw new CarcosaError('not_found');
      await this.#record(tx, actor, tenant, { action: 'tenant.delete', before: settable(tenant) });
      await this.#parts.removeLater(tx, { projectId: tenant.projectId, tenantId: tenant.id });
    });
    this.#parts.onChange(tenant.id);
  }

  /** The tenant, for somebody who may manage it. */
  async find(actor: Actor, id: string): Promise<TenantRow> {
    const tenant = isId('tenant', id) ? await findTenant(this.#parts.db, id) : null;
    if (!tenant) throw new CarcosaError('not_found');
    const grant = await this.#parts.access.authorize(actor, 'tenants:manage', tenant.projectId);
    if (grant.tenantId !== null && grant.tenantId !== tenant.id) throw new CarcosaError('not_found');
    return tenant;
  }

  #record(tx: Queryable, actor: Actor, { id, projectId }: TenantRow, event: AuditEvent): Promise<void> {
    const resource = { type: 'tenant', id } as const;
    return record(tx, this.#parts.clock, actor, { ...event, resource, place: { projectId, tenantId: id } });
  }

  async #whole(actor: Actor, id: string): Promise<TenantRow> {
    const tenant = await this.find(actor, id);
    await this.#parts.access.authorizeWhole(actor, 'tenants:manage', tenant.projectId);
    return tenant;
  }

  /** A bucket of its own must be one that the project's team may write to. */
  async #bucket(
    tx: Queryable,
    projectId: ProjectId,
    bucketId: string | null | undefined,
  ): Promise<BucketId | null | undefined> {
    if (!bucketId) return bucketId as null | undefined;
    const project = await findProject(tx, projectId);
    if (!project) throw new CarcosaError('not_found');
    return await this.#parts.buckets.assertWritable(tx, project, bucketId);
  }
}

const settable = ({ name, externalId, bucketId, metadata, suspendedAt }: TenantRow) => {
  return { name, externalId, bucketId, metadata, suspended: suspendedAt !== null };
};

async function externalIdOnce<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isUniqueViolation(error, 'tenants_external_id')) throw error;
    throw new CarcosaError('conflict', { message: 'The project has a tenant with that externalId already.' });
  }
}

function viewOf(row: TenantRow): Tenant {
  const { quotas: _, suspendedAt, createdAt, updatedAt, ...rest } = row;
  return {
    ...rest,
    id: rest.id as TenantId,
    suspended: suspendedAt !== null,
    createdAt: toIsoString(createdAt.getTime()),
    updatedAt: toIsoString(updatedAt.getTime()),
  };
}

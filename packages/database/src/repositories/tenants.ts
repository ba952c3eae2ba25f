import type { BucketId, ProjectId, TenantId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

/** Channel on which `{tenantId}` is announced when a tenant was changed or removed. */
export const TENANTS_CHANNEL = 'carcosa_tenants';

export interface TenantRow {
  id: TenantId;
  projectId: ProjectId;
  externalId: string;
  name: string;
  bucketId: BucketId | null;
  quotas: Record<string, unknown>;
  metadata: Record<string, unknown>;
  suspendedAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

const COLUMNS = `id, project_id as "projectId", external_id as "externalId", name, bucket_id as "bucketId", quotas, metadata,
  suspended_at as "suspendedAt", created_at as "createdAt", updated_at as "updatedAt"`;

export async function findTenant(db: Queryable, id: TenantId): Promise<TenantRow | null> {
  const { rows } = await db.query<TenantRow>({
    name: 'find-tenant',
    text: `select ${COLUMNS} from tenants where id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

export type NewTenant = Pick<TenantRow, 'id' | 'projectId' | 'externalId' | 'name' | 'bucketId' | 'metadata'> & {
  now: Date;
};

/** @throws the database's unique violation of `tenants_external_id` */
export async function insertTenant(tx: Queryable, row: NewTenant): Promise<TenantRow> {
  const { rows } = await tx.query<TenantRow>(
    `insert into tenants (id, project_id, external_id, name, bucket_id, metadata, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $7) returning ${COLUMNS}`,
    [row.id, row.projectId, row.externalId, row.name, row.bucketId, JSON.stringify(row.metadata), row.now],
  );
  return rows[0] as TenantRow;
}

export interface TenantListing {
  projectId: ProjectId;
  /** Only this one, when it is the project's. */
  id: TenantId | null;
  externalId: string | undefined;
  limit: number;
  after: string | undefined;
}

export async function listTenants(db: Queryable, listing: TenantListing): Promise<TenantRow[]> {
  const { rows } = await db.query<TenantRow>(
    `select ${COLUMNS} from tenants where project_id = $1 and ($2::text is null or id = $2) and ($3::text is null or external_id = $3)
       and ($4::text is null or id > $4) order by id limit $5`,
    [listing.projectId, listing.id, listing.externalId ?? null, listing.after ?? null, listing.limit + 1],
  );
  return rows;
}

export interface TenantChange {
  name?: string | undefined;
  externalId?: string | undefined;
  /** Null: where the project's files go. */
  bucketId?: BucketId | null | undefined;
  metadata?: Record<string, unknown> | undefined;
  /** Null: goes on. */
  suspendedAt?: Date | null | undefined;
}

/** Changes what is given and tells every node. Null when there is none. @throws the unique violation of `tenants_external_id` */
export async function updateTenant(
  tx: Queryable,
  id: TenantId,
  change: TenantChange,
  now: Date,
): Promise<TenantRow | null> {
  const { rows } = await tx.query<TenantRow>(
    `update tenants set name = coalesce($2, name), external_id = coalesce($3, external_id),
       bucket_id = case when $4 then $5 else bucket_id end, metadata = coalesce($6, metadata),
       suspended_at = case when $7 then $8::timestamptz else suspended_at end, updated_at = $9
     where id = $1 returning ${COLUMNS}`,
    [
      id,
      change.name ?? null,
      change.externalId ?? null,
      change.bucketId !== undefined,
      change.bucketId ?? null,
      change.metadata === undefined ? null : JSON.stringify(change.metadata),
      change.suspendedAt !== undefined,
      change.suspendedAt ?? null,
      now,
    ],
  );
  await announceTenant(tx, id);
  return rows[0] ?? null;
}

export async function deleteTenant(tx: Queryable, id: TenantId): Promise<boolean> {
  const { rowCount } = await tx.query('delete from tenants where id = $1', [id]);
  await announceTenant(tx, id);
  return rowCount === 1;
}

async function announceTenant(tx: Queryable, tenantId: TenantId): Promise<void> {
  await tx.query('select pg_notify($1, $2)', [TENANTS_CHANNEL, JSON.stringify({ tenantId })]);
}

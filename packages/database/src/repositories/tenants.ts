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

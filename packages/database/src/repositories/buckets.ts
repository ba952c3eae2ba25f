import type { BucketId, OrganizationId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

export interface BucketRow {
  id: BucketId;
  organizationId: OrganizationId;
  name: string;
  provider: 'local' | 's3';
  config: Record<string, unknown>;
}

export async function findBucket(db: Queryable, id: BucketId): Promise<BucketRow | null> {
  const { rows } = await db.query<BucketRow>(
    'select id, organization_id as "organizationId", name, provider, config from buckets where id = $1',
    [id],
  );
  return rows[0] ?? null;
}

import type { BucketUse } from '@carcosa/database';
import { CarcosaError } from '@carcosa/kernel';

/** @throws CarcosaError `bucket_in_use`, whose details list what uses the bucket */
export function assertUnused(use: BucketUse): void {
  const { projectCount, tenantCount, objectCount, uploadCount, leavingCount } = use;
  const uses = [
    counted(projectCount, 'project uses it', 'projects use it'),
    counted(tenantCount, 'tenant has its files there', 'tenants have their files there'),
    counted(objectCount, "file's content lies there", "files' contents lie there"),
    counted(uploadCount, 'upload goes there', 'uploads go there'),
    counted(leavingCount, 'content is still being removed', 'contents are still being removed'),
  ].filter((text) => text !== null);
  if (uses.length === 0) return;
  const message = `The bucket is in use: ${uses.join(', ')}. Give projects and tenants another bucket, and remove the files for good (also from the trash) first.`;
  throw new CarcosaError('bucket_in_use', { message, details: use });
}

const counted = (count: number, one: string, many: string): string | null =>
  count === 0 ? null : `${count} ${count === 1 ? one : many}`;

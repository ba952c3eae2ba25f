import type { BucketRow } from '@carcosa/database';

/** What an audit entry is about. */
export function aboutBucket({ id, organizationId }: Pick<BucketRow, 'id' | 'organizationId'>) {
  return { resource: { type: 'bucket', id }, place: { organizationId } } as const;
}

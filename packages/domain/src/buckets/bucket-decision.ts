import type { BucketRow, BucketShareRow } from '@carcosa/database';
import { type BucketId, CarcosaError, isId } from '@carcosa/kernel';
import { roleInTeam } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';

/**
 * What somebody may do with a bucket: `see` what it is, `tend` it (name, credentials, test, CORS), or `manage` all of it (its place,
 * whom it is shared with, its end). Each includes those before.
 */
export type BucketControl = 'see' | 'tend' | 'manage';

const ORDER: readonly BucketControl[] = ['see', 'tend', 'manage'];

/**
 * Owners and admins of the organization manage its buckets; members of a team see those that are shared with it, and owners and admins
 * of a team tend those that are shared with it for that. Keys and tokens know of none. Null: the bucket does not exist for the actor.
 */
export function bucketControl(
  actor: Actor,
  bucket: Pick<BucketRow, 'organizationId'>,
  shares: readonly BucketShareRow[],
): BucketControl | null {
  if (actor.type === 'system') return 'manage';
  if (actor.type !== 'user') return null;
  const { organizationId } = bucket;
  const inOrganization = actor.organizations.get(organizationId);
  if (inOrganization === 'owner' || inOrganization === 'admin') return 'manage';
  const controls = shares.flatMap(({ teamId, access }): BucketControl[] => {
    const role = roleInTeam(actor, { organizationId, teamId });
    if (!role) return [];
    return [access === 'admin' && (role === 'owner' || role === 'admin') ? 'tend' : 'see'];
  });
  return controls.includes('tend') ? 'tend' : (controls[0] ?? null);
}

/** @throws CarcosaError `not_found` for a bucket that the actor may not know of, `forbidden` for one that it may only see */
export function assertBucketControl(
  actor: Actor,
  needed: BucketControl,
  bucket: Pick<BucketRow, 'organizationId'>,
  shares: readonly BucketShareRow[],
): void {
  const control = bucketControl(actor, bucket, shares);
  if (!control) throw new CarcosaError('not_found');
  if (ORDER.indexOf(control) >= ORDER.indexOf(needed)) return;
  const who =
    needed === 'manage'
      ? 'an owner or admin of the organization'
      : 'an owner or admin of the organization, or of a team that the bucket is shared with as "admin",';
  throw new CarcosaError('forbidden', { message: `Only ${who} may do that.`, details: { control } });
}

/** @throws CarcosaError `not_found` for what is no id of a bucket */
export function knownBucket(id: string): BucketId {
  if (!isId('bucket', id)) throw new CarcosaError('not_found');
  return id;
}

import type { Bucket, BucketShare } from '@carcosa/contracts';
import type { BucketRow, BucketShareRow } from '@carcosa/database';
import { toIsoString } from '@carcosa/kernel';
import { roleInTeam } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { bucketControl } from './bucket-decision.ts';
import { parseS3Place } from './s3-place.ts';

/** A bucket as the actor may see it: without credentials, and only with the shares that concern it. */
export function toBucket(actor: Actor, row: BucketRow, shares: readonly BucketShareRow[]): Bucket {
  const mayManage = bucketControl(actor, row, shares) === 'manage';
  const { organizationId } = row;
  const mayKnow = ({ teamId }: BucketShareRow): boolean =>
    mayManage || (actor.type === 'user' && roleInTeam(actor, { organizationId, teamId }) !== undefined);
  return {
    id: row.id,
    organizationId,
    name: row.name,
    provider: row.provider,
    place: placeOf(row),
    accessKeyIdEnd: typeof row.config.accessKeyIdEnd === 'string' ? row.config.accessKeyIdEnd : null,
    fromEnvironment: row.fromEnvironment,
    mayManage,
    shares: shares.filter(mayKnow).map(toShare),
    createdAt: toIsoString(row.createdAt.getTime()),
  };
}

function placeOf(row: BucketRow): Bucket['place'] {
  if (row.provider === 'local') return null;
  const { endpoint, publicEndpoint, region, bucket, prefix, forcePathStyle } = parseS3Place(row.config);
  return { endpoint, publicEndpoint, region, bucket, prefix, pathStyle: forcePathStyle };
}

function toShare({ teamId, access, createdAt }: BucketShareRow): BucketShare {
  return { teamId, access, createdAt: toIsoString(createdAt.getTime()) };
}

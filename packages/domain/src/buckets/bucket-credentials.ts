import { BucketCredentials } from '@carcosa/contracts';
import type { BucketRow } from '@carcosa/database';
import { type BucketId, CarcosaError } from '@carcosa/kernel';
import type { Sealer, SecretOwner } from '../secrets/sealer.ts';

const ownerOf = (id: BucketId): SecretOwner => ({ kind: 'bucket', id });

export async function sealCredentials(sealer: Sealer, id: BucketId, credentials: BucketCredentials): Promise<Buffer> {
  return await sealer.seal(JSON.stringify(credentials), ownerOf(id));
}

/** Null for a bucket whose credentials stand in the environment. @throws CarcosaError as {@link Sealer.open} */
export async function openCredentials(
  sealer: Sealer,
  { id, credentials }: Pick<BucketRow, 'id' | 'credentials'>,
): Promise<BucketCredentials | null> {
  if (!credentials) return null;
  const opened = BucketCredentials.safeParse(JSON.parse(await sealer.open(credentials, ownerOf(id))));
  if (opened.success) return opened.data;
  // Without the cause, which may quote them.
  throw new CarcosaError('configuration_invalid', { message: 'The stored credentials of a bucket have another form.' });
}

/** Enough of an access key id to tell keys apart; null for one so short that this would be most of it. */
export function accessKeyIdEnd({ accessKeyId }: BucketCredentials): string | null {
  return accessKeyId.length >= 12 ? accessKeyId.slice(-4) : null;
}

import type { DefaultBucket } from '@carcosa/domain';
import type { S3Settings } from './config.ts';

/**
 * The bucket that the environment makes the default one. Credentials are no part of it: its row says which bucket it is, and the
 * environment of each process how to open it.
 */
export function defaultBucket(s3: S3Settings | undefined): DefaultBucket {
  if (!s3) return { name: 'local', provider: 'local', config: {} };
  const { endpoint = null, region, bucket, prefix, forcePathStyle } = s3;
  const place = [endpoint ? new URL(endpoint).host : 'aws', bucket, prefix].filter(Boolean).join('/');
  return { name: `s3 ${place}`, provider: 's3', config: { endpoint, region, bucket, prefix, forcePathStyle } };
}

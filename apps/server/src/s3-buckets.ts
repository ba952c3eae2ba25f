import type { BucketCredentials } from '@carcosa/contracts';
import type { BucketRow } from '@carcosa/database';
import { parseS3Place } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import { AddressGuard } from '@carcosa/kernel/node';
import type { S3Settings } from './config.ts';
import { defaultBucket } from './default-bucket.ts';

/** How a bucket is opened that an organization has made. */
export function storedBucket({ config }: BucketRow, { accessKeyId, secretAccessKey }: BucketCredentials) {
  const {
    endpoint,
    publicEndpoint,
    forcePathStyle: pathStyle,
    region,
    bucket,
    prefix,
    etagIsMd5,
  } = parseS3Place(config);
  return {
    ...{ region, bucket, prefix, pathStyle, etagIsMd5, credentials: { accessKeyId, secretAccessKey } },
    ...(endpoint === null ? {} : { endpoint }),
    ...(publicEndpoint === null ? {} : { publicEndpoint }),
  };
}

/**
 * How the bucket of the environment is opened. The row says which bucket it is; only the environment of that very bucket knows its
 * credentials. @throws CarcosaError `storage_misconfigured` when this process has another one
 */
export function environmentBucket({ name }: BucketRow, s3: S3Settings | undefined) {
  if (!s3 || defaultBucket(s3).name !== name)
    throw new CarcosaError('storage_misconfigured', { message: `"${name}" needs its CARCOSA_S3_ variables.` });
  const { endpoint, forcePathStyle: pathStyle, ...rest } = s3;
  return { ...rest, pathStyle, ...(endpoint ? { endpoint } : {}) };
}

/** Keeps requests to endpoints that organizations have named out of the server's own network. */
export function bucketGuard(networks: readonly string[]): AddressGuard {
  return new AddressGuard({
    allow: networks,
    refuse: (host) =>
      new CarcosaError('storage_misconfigured', {
        message: `The bucket's address (${host}) leads into a private network. Whoever runs this server can allow it by CARCOSA_BUCKET_ALLOW_PRIVATE.`,
      }),
  });
}

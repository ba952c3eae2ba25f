import type { CreateBucketBody, UpdateBucketBody } from '@carcosa/contracts';

/** Which bucket at which provider, as `buckets.config` keeps it. Credentials are no part of it. */
export interface S3Place {
  /** Null: Amazon's. */
  endpoint: string | null;
  /** The provider's address as clients see it, where that is another one. */
  publicEndpoint: string | null;
  region: string;
  bucket: string;
  /** Empty, or without a "/" at its end. */
  prefix: string;
  forcePathStyle: boolean;
  /** Whether the provider's ETags are MD5 sums. */
  etagIsMd5: boolean;
}

type S3Body = Extract<CreateBucketBody, { provider: 's3' }>;

/** Fills in what suits the provider that the endpoint belongs to. */
export function s3PlaceOf(
  body: Pick<S3Body, 'bucket' | 'prefix' | 'endpoint' | 'publicEndpoint' | 'region' | 'pathStyle'>,
): S3Place {
  const { endpoint = null, publicEndpoint = null, bucket, prefix = '' } = body;
  const suits = presetOf(endpoint, bucket);
  return {
    endpoint,
    publicEndpoint,
    region: body.region ?? suits.region,
    bucket,
    prefix,
    forcePathStyle: body.pathStyle ?? suits.forcePathStyle,
    etagIsMd5: suits.etagIsMd5,
  };
}

/** The place after a change; what the change does not name stays, unless another endpoint wants something else. */
export function changedPlace(place: S3Place, change: UpdateBucketBody): S3Place {
  const { endpoint, publicEndpoint, region, pathStyle } = change;
  const kept = endpoint === undefined || endpoint === place.endpoint;
  const next = s3PlaceOf({
    bucket: place.bucket,
    prefix: place.prefix,
    ...(endpoint === undefined ? optional('endpoint', place.endpoint) : { endpoint }),
    ...(region !== undefined || kept ? { region: region ?? place.region } : {}),
    ...(pathStyle !== undefined || kept ? { pathStyle: pathStyle ?? place.forcePathStyle } : {}),
  });
  return { ...next, publicEndpoint: publicEndpoint === undefined ? place.publicEndpoint : publicEndpoint };
}

/** Of a row, also one that the environment made, which says less. */
export function parseS3Place(config: Record<string, unknown>): S3Place {
  const given = config as Partial<S3Place> & Pick<S3Place, 'region' | 'bucket'>;
  return {
    endpoint: given.endpoint ?? null,
    publicEndpoint: given.publicEndpoint ?? null,
    region: given.region,
    bucket: given.bucket,
    prefix: given.prefix ?? '',
    forcePathStyle: given.forcePathStyle ?? false,
    etagIsMd5: given.etagIsMd5 ?? true,
  };
}

type Preset = Pick<S3Place, 'region' | 'forcePathStyle' | 'etagIsMd5'>;

function presetOf(endpoint: string | null, bucket: string): Preset {
  const host = endpoint === null ? 's3.us-east-1.amazonaws.com' : new URL(endpoint).hostname;
  const amazon = /^s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(host);
  // Amazon wants virtual hosts, whose certificate does not cover a name with dots.
  if (amazon) return { region: amazon[1] ?? 'us-east-1', forcePathStyle: bucket.includes('.'), etagIsMd5: true };
  if (host.endsWith('.r2.cloudflarestorage.com')) return { region: 'auto', forcePathStyle: true, etagIsMd5: true };
  // ETags of what was put together from parts are not made of MD5 sums there.
  if (host === 'storage.googleapis.com') return { region: 'auto', forcePathStyle: true, etagIsMd5: false };
  // MinIO, Ceph and others seldom have a wildcard name for buckets; their default region is Amazon's first.
  return { region: 'us-east-1', forcePathStyle: true, etagIsMd5: true };
}

function optional<Name extends string, Value>(name: Name, value: Value | null): { [name in Name]?: Value } {
  return value === null ? {} : ({ [name]: value } as { [name in Name]: Value });
}

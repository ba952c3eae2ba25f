import { CarcosaError } from '@carcosa/kernel';
import type { AddressGuard } from '@carcosa/kernel/node';

/** How to reach one bucket of an S3-compatible provider. */
export interface S3StoreConfig {
  bucket: string;
  /** As the provider calls it; "auto" for Cloudflare R2. */
  region: string;
  /** `https://…` of a provider other than AWS. */
  endpoint?: string;
  /** The provider's address as clients see it, where that is not `endpoint`; signed addresses lead there. */
  publicEndpoint?: string;
  /** Bucket in the path instead of the host name. Default: true when `endpoint` is given, which most servers want. */
  pathStyle?: boolean;
  /** Absent: the AWS SDK's own chain (environment, profile, instance role). */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Folder in the bucket under which everything of ours lies, such as "media/carcosa". */
  prefix?: string;
  /** Smallest size of a part in bytes, 5 MiB or more at most providers. Default 8 MiB. */
  partSize?: number;
  /** Milliseconds for a connection to be made. Default 5,000. */
  connectTimeout?: number;
  /** Milliseconds without a byte in either direction. Default 30,000. */
  idleTimeout?: number;
  /** How often a request is sent at most, with growing random pauses between. Default 4. */
  maxAttempts?: number;
  /** Connections at a time. Default 64. */
  maxSockets?: number;
  /** Parts of all uploads of this process that are on their way at a time. Default 8. */
  maxPartsInFlight?: number;
  /** Whether ETags are MD5 sums and worth comparing. Default true; answers that name KMS encryption are excepted anyway. */
  etagIsMd5?: boolean;
  /** Bytes above which an object is copied in parts, so that no request is silent for long. Default 512 MiB, at most 5 GiB. */
  copyLimit?: number;
  /** Decides which addresses may be connected to, where somebody else than whoever runs the server has named the endpoint. */
  guard?: AddressGuard;
}

const MIB = 1024 * 1024;

export type ResolvedS3Config = ReturnType<typeof resolveConfig>;

/** Fills in the defaults. @throws CarcosaError `configuration_invalid` */
export function resolveConfig(config: S3StoreConfig) {
  const prefix = (config.prefix ?? '').replace(/^\/+|\/+$/g, '');
  if (!config.bucket) throw new CarcosaError('configuration_invalid', { message: 'An S3 bucket needs a name.' });
  for (const address of [config.endpoint, config.publicEndpoint]) {
    if (address !== undefined && !/^https?:$/.test(URL.parse(address)?.protocol ?? '')) {
      throw new CarcosaError('configuration_invalid', {
        message: `"${address}" is not the http(s) address of an S3 provider.`,
      });
    }
  }
  return {
    bucket: config.bucket,
    region: config.region,
    endpoint: config.endpoint,
    publicEndpoint: config.publicEndpoint ?? config.endpoint,
    pathStyle: config.pathStyle ?? config.endpoint !== undefined,
    credentials: config.credentials,
    /** Empty, or ends in "/". */
    prefix: prefix === '' ? '' : `${prefix}/`,
    partSize: config.partSize ?? 8 * MIB,
    connectTimeout: config.connectTimeout ?? 5_000,
    idleTimeout: config.idleTimeout ?? 30_000,
    maxAttempts: config.maxAttempts ?? 4,
    maxSockets: config.maxSockets ?? 64,
    maxPartsInFlight: config.maxPartsInFlight ?? 8,
    etagIsMd5: config.etagIsMd5 ?? true,
    copyLimit: config.copyLimit ?? 512 * MIB,
    guard: config.guard,
  };
}

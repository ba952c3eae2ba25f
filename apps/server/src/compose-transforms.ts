import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Queryable } from '@carcosa/database';
import {
  type Access,
  PresetService,
  type ProjectFactsCache,
  type Quotas,
  type RateLimiter,
  RemotePictures,
  type ServingService,
  type StoreRegistry,
  TransformAddresses,
  TransformService,
  TransformSigner,
  type UsageMeter,
  VariantCache,
} from '@carcosa/domain';
import { CarcosaError, type Clock, type IdGenerator, type Logger } from '@carcosa/kernel';
import { AddressGuard } from '@carcosa/kernel/node';
import { ImagePool } from '@carcosa/media';
import type { ServerConfig } from './config.ts';

/** Pictures that may wait for a process, for each that works: about as many as are made in the time that a client waits. */
const WAITING_PER_WORKER = 32;
const MAX_WORKERS = 16;

interface TransformParts {
  config: ServerConfig;
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  logger: Logger;
  access: Access;
  projects: ProjectFactsCache;
  serving: ServingService;
  stores: StoreRegistry;
  limiter: RateLimiter;
  quotas: Quotas;
  /** The root secret. */
  secret: string;
  publicUrl: string;
  version: string;
  /** Told of a project that was changed here. */
  onChange: (projectId: string) => void;
  usage: Pick<UsageMeter, 'countTransform'>;
}

/** Pictures on demand. Neither processes nor files are made before the first one is asked for. */
export function composeTransforms({ config, secret, ...parts }: TransformParts) {
  const size = Math.min(MAX_WORKERS, availableParallelism());
  const imagePool = new ImagePool({ size, maxWaiting: size * WAITING_PER_WORKER });
  const cache = new VariantCache({
    ...parts,
    directory: join(config.dataDir, 'transforms'),
    maxBytes: config.transformCacheBytes,
  });
  const guard = new AddressGuard({ allow: config.webhookNetworks, refuse: refused });
  const remote = new RemotePictures({ guard, version: parts.version });
  const signer = new TransformSigner(Buffer.from(secret));
  return {
    imagePool,
    transforms: new TransformService({ ...parts, engine: imagePool, cache, remote, signer }),
    transformAddresses: new TransformAddresses({ ...parts, remote, signer }),
    presets: new PresetService(parts),
  };
}

function refused(host: string): CarcosaError {
  return new CarcosaError('transform_not_allowed', {
    message: `The picture's address (${host}) leads into a private network. Whoever runs this server can allow it by CARCOSA_WEBHOOK_ALLOW_PRIVATE.`,
  });
}

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  type Quotas,
  type RateLimiter,
  type ServingService,
  type StoreRegistry,
  TransformService,
  type UsageMeter,
  VariantCache,
} from '@carcosa/domain';
import type { Clock, Logger } from '@carcosa/kernel';
import { ImagePool } from '@carcosa/media';
import type { ServerConfig } from './config.ts';

/** Pictures that may wait for a process, for each that works: about as many as are made in the time that a client waits. */
const WAITING_PER_WORKER = 32;
const MAX_WORKERS = 16;

interface TransformParts {
  config: ServerConfig;
  clock: Clock;
  logger: Logger;
  serving: ServingService;
  stores: StoreRegistry;
  limiter: RateLimiter;
  quotas: Quotas;
  usage: Pick<UsageMeter, 'countTransform'>;
}

/** Pictures on demand. Neither processes nor files are made before the first one is asked for. */
export function composeTransforms({ config, ...parts }: TransformParts) {
  const size = Math.min(MAX_WORKERS, availableParallelism());
  const imagePool = new ImagePool({ size, maxWaiting: size * WAITING_PER_WORKER });
  const cache = new VariantCache({
    ...parts,
    directory: join(config.dataDir, 'transforms'),
    maxBytes: config.transformCacheBytes,
  });
  return { imagePool, transforms: new TransformService({ ...parts, engine: imagePool, cache }) };
}

import type { Queryable } from '@carcosa/database';
import {
  type Access,
  DirectUploadService,
  type Notifications,
  type OperationProgress,
  PartAddresses,
  type Quotas,
  type StoreRegistry,
  UploadCollector,
  UploadCompletion,
  UploadLeases,
  UploadProgress,
  type UploadProjects,
  UploadService,
  type UploadTenants,
  WholeUploads,
} from '@carcosa/domain';
import type { Clock, IdGenerator, Logger, Random } from '@carcosa/kernel';

export interface UploadParts {
  db: Queryable;
  quotas: Quotas;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  stores: StoreRegistry;
  access: Access;
  projects: UploadProjects;
  tenants: UploadTenants;
  notifications: Notifications;
  /** Where it is told how far uploads are. */
  operations: OperationProgress;
  hashLater(db: Queryable, objectId: string): Promise<void>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  secret: string;
  publicUrl: string;
  instance: string;
  /** Whether contents are scanned before they are served. */
  scans: boolean;
  /** See `UploadCompletionOptions`. */
  onChange: (keys: string[]) => void;
}

/** The part of the composition that makes the upload engine. */
export function composeUploads({ operations, ...rest }: UploadParts) {
  const progress = new UploadProgress({ db: rest.db, progress: operations });
  operations.addSource(progress);
  const parts = { ...rest, progress };
  const leases = new UploadLeases(parts);
  const completion = new UploadCompletion(parts);
  const wholes = new WholeUploads({ ...parts, completion });
  const uploads = new UploadService({ ...parts, leases, completion, wholes });
  const addresses = new PartAddresses({ ...parts, secret: Buffer.from(parts.secret) });
  const directUploads = new DirectUploadService({ ...parts, uploads, leases, completion, addresses });
  const uploadCollector = new UploadCollector(parts);
  const groups = { uploads: uploads.groupSizes, completions: completion.groupSizes, 'small-files': wholes.groupSizes };
  return { leases, uploads, directUploads, uploadCollector, uploadTally: completion.tally, groups };
}

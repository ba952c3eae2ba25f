import { join } from 'node:path';
import type { Queryable } from '@carcosa/database';
import {
  type Access,
  ArrivalPlanner,
  ArrivalWorker,
  FactsService,
  type FileService,
  HttpInspector,
  type ImageEngine,
  InspectionService,
  type Inspector,
  type Notifications,
  type OperationProgress,
  type ProjectFactsCache,
  type Quotas,
  ResultStore,
  ScanService,
  type ServingService,
  SourceAccess,
  StepMaker,
  type StoreRegistry,
  TransformJobs,
  TransformRunner,
  type UploadService,
  type WebhookSender,
  WorkFolders,
} from '@carcosa/domain';
import type { Clock, IdGenerator, Logger, Random } from '@carcosa/kernel';
import { FactsReader, findMediaPrograms } from '@carcosa/media';
import type { JobQueue } from '@carcosa/queue';
import { ClamdScanner } from './clamd-scanner.ts';
import type { ServerConfig } from './config.ts';

interface MediaParts {
  config: ServerConfig;
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  publicUrl: string;
  access: Access;
  stores: StoreRegistry;
  queue: JobQueue;
  uploads: UploadService;
  quotas: Quotas;
  engine: ImageEngine;
  progress: OperationProgress;
  notifications: Notifications;
  projects: ProjectFactsCache;
  files: FileService;
  serving: ServingService;
  sender: WebhookSender;
}

/** What is known of files and made of them in jobs. Neither processes nor folders are there before the first one is needed. */
export function composeMedia({ config, ...parts }: MediaParts) {
  const { queue, progress } = parts;
  const reader = new FactsReader();
  const folders = new WorkFolders(join(config.dataDir, 'media'));
  const sources = new SourceAccess(parts);
  // Looked for each time: who installs it need not start the server again.
  const programs = () => findMediaPrograms(config.programPath);
  const facts = new FactsService({ ...parts, sources, folders, reader, programs });
  const maker = new StepMaker({ ...parts, sources, programs, results: new ResultStore(parts) });
  const transformRunner = new TransformRunner({ ...parts, maker, folders });
  const transformJobs = new TransformJobs({
    ...{ ...parts, programs },
    runLater: (tx, { id, isSmall }) =>
      queue.enqueue(tx, isSmall ? 'run-small-transform' : 'run-transform', { jobId: id }),
  });
  progress.addSource(transformJobs);
  const planner = new ArrivalPlanner({
    ...{ ...parts, jobs: transformJobs },
    later: {
      scan: (tx, objectId) => queue.enqueue(tx, 'scan-object', { objectId }),
      readFacts: (tx, objectId) => queue.enqueue(tx, 'read-facts', { objectId }),
      inspect: (tx, what) => queue.enqueue(tx, 'inspect-file', what),
    },
  });
  const arrivalWorker = new ArrivalWorker({ ...parts, handle: (tx, arrival) => planner.plan(tx, arrival) });
  const scans = new ScanService({
    ...parts,
    scanner: config.clamd === undefined ? null : new ClamdScanner(config.clamd),
  });
  // Inspectors of one's own get their names here.
  const inspectors = new Map<string, Inspector>([['http', new HttpInspector(parts)]]);
  const inspections = new InspectionService({ ...parts, inspectors });
  return { facts, transformJobs, transformRunner, arrivalWorker, scans, inspections, factsReader: reader };
}

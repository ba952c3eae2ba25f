import type { JobData } from '@carcosa/contracts';
import type { Queryable } from '@carcosa/database';
import {
  AlarmEvaluator,
  AlarmMeasures,
  AlarmService,
  AlarmTeller,
  type Mailer,
  type Sealer,
  type StoreRegistry,
  type WebhookSender,
} from '@carcosa/domain';
import type { Clock, IdGenerator, Logger, Random } from '@carcosa/kernel';
import type { AddressGuard } from '@carcosa/kernel/node';
import type { JobQueue } from '@carcosa/queue';
import type { HealthService } from './health.ts';
import type { HttpMeter } from './metrics/http-meter.ts';
import { NodeSampler } from './metrics/node-sampler.ts';

export interface AlarmParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  publicUrl: string;
  instance: string;
  dataDir: string;
  queue: JobQueue;
  stores: StoreRegistry;
  health: HealthService;
  sealer: Sealer;
  guard: AddressGuard;
  sender: WebhookSender;
  mailer: Mailer | null;
  http: HttpMeter;
}

/** The part of the composition that tells people when something is bad. */
export function composeAlarms(parts: AlarmParts) {
  const { queue, health } = parts;
  const measures = new AlarmMeasures({
    ...parts,
    checkStorage: () => health.checkStorage(),
    countDeadLetters: () => queue.ledger.countDeadLetters(parts.db),
  });
  const tellLater = (tx: Queryable, data: JobData<'tell-alarm'>): Promise<void> =>
    queue.enqueue(tx, 'tell-alarm', data);
  const alarmTeller = new AlarmTeller(parts);
  return {
    alarmTeller,
    alarms: new AlarmService({ ...parts, teller: alarmTeller }),
    alarmEvaluator: new AlarmEvaluator({ ...parts, measures, tellLater }),
    nodeSampler: new NodeSampler(parts),
  };
}

import type { AlarmKind } from '@carcosa/contracts';
import {
  type AlarmRow,
  bucketsOfOrganization,
  failingWebhooks,
  latestDisks,
  type Queryable,
  sumSamples,
  usedQuotas,
} from '@carcosa/database';
import type { Clock, OrganizationId } from '@carcosa/kernel';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import { monthOf } from '../quotas/month.ts';
import { clearThreshold, type Reading } from './alarm-phase.ts';

/** Milliseconds of requests that count for the error rate. */
const RATE_WINDOW_MS = 5 * 60_000;
/** Fewer requests say nothing of a rate. */
const LEAST_REQUESTS = 20;
/** A node that was not heard of for so long has gone. */
const NODE_SILENT_MS = 3 * 60_000;
/** Milliseconds that a bucket has to answer. */
const BUCKET_PATIENCE_MS = 10_000;
/** Buckets that are asked at a time. */
const BUCKETS_AT_ONCE = 8;
/** A name that no file has: a bucket that answers says that there is none. */
const PROBE = 'carcosa-health';

export interface AlarmMeasuresParts {
  db: Queryable;
  clock: Clock;
  stores: StoreRegistry;
  /** Rejects while the bucket of the default project does not answer. */
  checkStorage(): Promise<void>;
  /** Jobs that failed for the last time. */
  countDeadLetters(): Promise<number>;
}

/** Measures what alarms watch. Each measure names what may be bad; what it does not name is well. */
export class AlarmMeasures {
  readonly #parts: AlarmMeasuresParts;

  constructor(parts: AlarmMeasuresParts) {
    this.#parts = parts;
  }

  /** Rejects when it cannot be measured: then nothing is known. */
  async measure(alarm: AlarmRow): Promise<Reading[]> {
    const { organizationId } = alarm;
    if (organizationId === null) return (await this.#server[alarm.kind]?.()) ?? [];
    return (await this.#organization[alarm.kind]?.(organizationId, alarm)) ?? [];
  }

  readonly #server: Partial<Record<AlarmKind, () => Promise<Reading[]>>> = {
    'error-rate': async () => {
      const { requests, failures } = await sumSamples(this.#parts.db, this.#since(RATE_WINDOW_MS));
      if (requests < LEAST_REQUESTS) return [];
      return [{ subject: 'server', label: 'all requests', value: rounded((100 * failures) / requests) }];
    },
    disk: async () => {
      const disks = await latestDisks(this.#parts.db, this.#since(NODE_SILENT_MS));
      return disks.map(({ instance, diskFree }) => ({ subject: instance, label: instance, value: rounded(diskFree) }));
    },
    'dead-letters': async () => {
      return [{ subject: 'server', label: 'dead letters', value: await this.#parts.countDeadLetters() }];
    },
    bucket: async () => {
      const value = await failing(() => this.#parts.checkStorage());
      return [{ subject: 'server', label: 'the bucket of the default project', value }];
    },
  };

  readonly #organization: Partial<
    Record<AlarmKind, (organizationId: OrganizationId, alarm: AlarmRow) => Promise<Reading[]>>
  > = {
    webhook: async (organizationId, { threshold }) => {
      const failed = await failingWebhooks(this.#parts.db, organizationId);
      return failed.map(({ id, label, value, isDisabled }) => {
        return { subject: id, label, value: isDisabled ? Math.max(value, threshold) : value };
      });
    },
    quota: async (organizationId, alarm) => {
      const { period } = monthOf(this.#parts.clock.now());
      const used = await usedQuotas(this.#parts.db, organizationId, { percent: clearThreshold(alarm), period });
      return used.map(({ id, ...rest }) => ({ subject: id, ...rest }));
    },
    bucket: async (organizationId) => {
      const left = await bucketsOfOrganization(this.#parts.db, organizationId);
      const readings: Reading[] = [];
      const ask = async (): Promise<void> => {
        for (let bucket = left.pop(); bucket; bucket = left.pop()) {
          const { id, name } = bucket;
          const value = await failing(async () => {
            await (await this.#parts.stores.storeFor(id)).stat(PROBE);
          });
          readings.push({ subject: id, label: name, value });
        }
      };
      await Promise.all(Array.from({ length: BUCKETS_AT_ONCE }, ask));
      return readings;
    },
  };

  #since(milliseconds: number): Date {
    return new Date(this.#parts.clock.now() - milliseconds);
  }
}

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** 1 when it rejects or takes too long. */
async function failing(check: () => Promise<void>): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<number>((resolve) => {
    timer = setTimeout(() => resolve(1), BUCKET_PATIENCE_MS);
  });
  const asked = check().then(
    () => 0,
    () => 1,
  );
  return await Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

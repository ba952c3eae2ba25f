import type { UsageMetric } from '@carcosa/contracts';
import {
  type BilledMetric,
  findDueReports,
  foldUsage,
  makeReports,
  markRefused,
  markReported,
  type Queryable,
  type ReportRow,
} from '@carcosa/database';
import { CarcosaError, type Clock } from '@carcosa/kernel';
import type { MeterEvent, MeteredBilling } from './metered-billing.ts';
import { DAY_MS, dayAfter, dayOf } from './usage-scope.ts';

/** Milliseconds after midnight at which all nodes have told what they counted in the day before, unless the database was away. */
const SETTLED_MS = 15 * 60_000;
/** Days of which something that comes late is still reported: the provider takes what is at most 35 days old. */
const REPORTED_DAYS = 34;
const BATCH = 100;

/** The meters by metric: the names of their events, and how many units of ours are one of theirs. */
const METERS: Readonly<Record<UsageMetric, Omit<BilledMetric, 'metric'> & { eventName: string }>> = {
  uploads: { eventName: 'carcosa_uploads', column: 'uploads', unit: 1 },
  downloads: { eventName: 'carcosa_downloads', column: 'downloads', unit: 1 },
  bytesIn: { eventName: 'carcosa_bytes_in', column: 'bytes_in', unit: 1 },
  bytesOut: { eventName: 'carcosa_bytes_out', column: 'bytes_out', unit: 1 },
  transforms: { eventName: 'carcosa_transforms', column: 'transforms', unit: 1 },
  transformSeconds: { eventName: 'carcosa_transform_seconds', column: 'transform_ms', unit: 1000 },
  apiCalls: { eventName: 'carcosa_api_calls', column: 'api_calls', unit: 1 },
  storageByteHours: { eventName: 'carcosa_storage_megabyte_hours', column: 'byte_hours', unit: 1_000_000 },
};
const METRICS: BilledMetric[] = Object.entries(METERS).map(([metric, { column, unit }]) => ({ metric, column, unit }));

export interface ReportUsageParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  /** Absent: there is nobody to report to. */
  billing: MeteredBilling | undefined;
}

/**
 * Reports the days that are over, at least once and under constant identifiers, by which the provider counts each once. What is to be
 * reported is written down before it is sent, and what was taken afterwards; what came late is one more report. For the job `report-usage`.
 * @throws CarcosaError `billing_unavailable` when the provider does not answer, has a fault, or has enough for now: what is left waits
 */
export async function reportUsage(
  { db, transaction, clock, billing }: ReportUsageParts,
  { signal }: { signal: AbortSignal },
): Promise<number> {
  if (!billing) return 0;
  const now = clock.now();
  await transaction((tx) => foldUsage(tx, now));
  const last = dayAfter(dayOf(now - SETTLED_MS), -1);
  await makeReports(db, METRICS, { first: dayAfter(last, -REPORTED_DAYS), last, now });
  let reported = 0;
  let after: ReportRow | undefined;
  for (;;) {
    const due = await findDueReports(db, after, BATCH);
    for (const report of due) reported += (await send({ db, clock, billing }, report, signal)) ? 1 : 0;
    after = due.at(-1);
    if (due.length < BATCH) return reported;
  }
}

async function send(
  { db, clock, billing }: { db: Queryable; clock: Clock; billing: MeteredBilling },
  report: ReportRow,
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const answer = await billing.report(eventOf(report), { signal });
  if (answer.outcome === 'taken') {
    await markReported(db, report, clock.now());
    return true;
  }
  const { error } = answer;
  await markRefused(db, report, { error, isFault: answer.outcome === 'failed' && answer.isFault });
  // One that is refused for itself does not hold up the others.
  if (answer.outcome === 'refused') return false;
  throw new CarcosaError('billing_unavailable', { message: `The provider of payments did not take usage: ${error}` });
}

function eventOf({ organizationId, metric, day, sequence, customerId, value, faults }: ReportRow): MeterEvent {
  const identifier = `${organizationId}-${metric}-${day}-${sequence}`;
  return {
    identifier,
    idempotencyKey: `${identifier}-${faults}`,
    eventName: METERS[metric as UsageMetric].eventName,
    ...{ customerId, value },
    // The last second of the day.
    timestamp: (Date.parse(day) + DAY_MS) / 1000 - 1,
  };
}

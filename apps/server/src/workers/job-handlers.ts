import {
  foldUsageNow,
  hashStoredObject,
  purgeTrash,
  reportUsage,
  retainAudit,
  retainEvents,
  retainUsage,
  sealAudit,
} from '@carcosa/domain';
import { isId } from '@carcosa/kernel';
import { JobHandlers } from '@carcosa/queue';
import type { Carcosa } from '../compose.ts';

/** What each job does. A new job gets its schema in the contracts, its settings in the queue, and its line here. */
export function jobHandlers({
  alarmEvaluator,
  alarmTeller,
  garbage,
  database,
  removal,
  stores,
  clock,
  inTransaction,
  config,
  billing,
  facts,
  transformRunner,
  scans,
  inspections,
  callbacks,
  settlement,
}: Carcosa): JobHandlers {
  return new JobHandlers()
    .on('evaluate-alarms', (_data, context) => alarmEvaluator.evaluate(context))
    .on('tell-alarm', (message, { signal }) => alarmTeller.tell(message, signal))
    .on('collect-garbage', async (_data, context) => {
      await garbage.collect(context);
    })
    .on('purge-trash', async (_data, context) => {
      await purgeTrash({ transaction: inTransaction, clock }, context);
    })
    .on('retain-audit', async (_data, context) => {
      const { auditRetentionDays: serverDays } = config;
      await retainAudit({ db: database.pool, transaction: inTransaction, clock, serverDays }, context);
    })
    .on('seal-audit', async (_data, context) => {
      await sealAudit({ transaction: inTransaction }, context);
    })
    .on('deliver-callback', async ({ callbackId }) => {
      if (isId('callback', callbackId)) await callbacks.deliver(callbackId);
    })
    .on('settle-signed-uploads', async () => {
      await settlement.settleLeftovers();
      await callbacks.deliverOverdue();
    })
    .on('report-usage', async (_data, context) => {
      await reportUsage({ db: database.pool, transaction: inTransaction, clock, billing }, context);
    })
    .on('fold-usage', async () => {
      await foldUsageNow({ db: database.pool, transaction: inTransaction, clock });
    })
    .on('retain-events', async (_data, context) => {
      await retainEvents({ db: database.pool, clock }, context);
    })
    .on('retain-usage', async (_data, context) => {
      const parts = { db: database.pool, transaction: inTransaction, clock, days: config.usageRetentionDays };
      await retainUsage(parts, context);
    })
    .on('remove-files', async ({ projectId, tenantId }, context) => {
      if (isId('project', projectId)) await removal.remove({ projectId, tenantId }, context.signal);
    })
    .on('hash-object', ({ objectId }, context) => hashStoredObject({ db: database.pool, stores }, objectId, context))
    .on('scan-object', ({ objectId }, context) => scans.scan(objectId, context))
    .on('inspect-file', (what, context) => inspections.inspect(what, context))
    .on('read-facts', ({ objectId }, context) => facts.read(objectId, context))
    .on('run-transform', ({ jobId }, context) => transformRunner.run(jobId, context))
    .on('run-small-transform', ({ jobId }, context) => transformRunner.run(jobId, context));
}

import { hashStoredObject, purgeTrash, retainAudit, sealAudit } from '@carcosa/domain';
import { JobHandlers } from '@carcosa/queue';
import type { Carcosa } from '../compose.ts';

/** What each job does. A new job gets its schema in the contracts, its settings in the queue, and its line here. */
export function jobHandlers({ garbage, database, stores, clock, inTransaction }: Carcosa): JobHandlers {
  return new JobHandlers()
    .on('collect-garbage', async (_data, context) => {
      await garbage.collect(context);
    })
    .on('purge-trash', async (_data, context) => {
      await purgeTrash({ transaction: inTransaction, clock }, context);
    })
    .on('retain-audit', async (_data, context) => {
      await retainAudit({ db: database.pool, transaction: inTransaction, clock }, context);
    })
    .on('seal-audit', async (_data, context) => {
      await sealAudit({ transaction: inTransaction }, context);
    })
    .on('hash-object', ({ objectId }, context) => hashStoredObject({ db: database.pool, stores }, objectId, context));
}

import type { WebhookRow } from '@carcosa/database';
import type { WebhookId } from '@carcosa/kernel';
import type { Sealer } from '../secrets/sealer.ts';

/** As `SEALED_COLUMNS` has them: a former secret does not open as the present one. */
export const secretOwner = (id: WebhookId) => ({ kind: 'webhook', id });
export const formerSecretOwner = (id: WebhookId) => ({ kind: 'former webhook', id });

/** The secrets that sign now, the newest first. @throws CarcosaError as {@link Sealer.open} */
export async function openSecrets(sealer: Sealer, row: WebhookRow, now: number): Promise<string[]> {
  const secrets = [await sealer.open(row.secret, secretOwner(row.id))];
  const { formerSecret, formerSecretUntil } = row;
  if (formerSecret && formerSecretUntil && formerSecretUntil.getTime() > now)
    secrets.push(await sealer.open(formerSecret, formerSecretOwner(row.id)));
  return secrets;
}

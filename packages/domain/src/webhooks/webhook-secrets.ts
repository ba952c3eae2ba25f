import type { WebhookRow } from '@carcosa/database';
import type { WebhookId } from '@carcosa/kernel';
import type { Sealer } from '../secrets/sealer.ts';

/** As `SEALED_COLUMNS` has them: a former secret does not open as the present one. */
export const secretOwner = (id: WebhookId) => ({ kind: 'webhook', id });
export const formerSecretOwner = (id: WebhookId) => ({ kind: 'former webhook', id });

/** In clear. */
export interface OpenedSecrets {
  present: string;
  former: { secret: string; until: number } | null;
}

/** @throws CarcosaError as {@link Sealer.open} */
export async function openSecrets(sealer: Sealer, row: WebhookRow): Promise<OpenedSecrets> {
  const { formerSecret, formerSecretUntil } = row;
  const present = await sealer.open(row.secret, secretOwner(row.id));
  if (!formerSecret || !formerSecretUntil) return { present, former: null };
  const secret = await sealer.open(formerSecret, formerSecretOwner(row.id));
  return { present, former: { secret, until: formerSecretUntil.getTime() } };
}

/** Those that sign now, the newest first. */
export function signingSecrets({ present, former }: OpenedSecrets, now: number): string[] {
  return former && former.until > now ? [present, former.secret] : [present];
}

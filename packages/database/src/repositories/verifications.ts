import type { UserId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

/** Something that was sent to somebody and is waited for, found by what was sent. */
export interface NewVerification {
  id: string;
  /** What kind it is, and a hash of what was sent. */
  identifier: string;
  value: string;
  expiresAt: Date;
  now: Date;
}

export async function insertVerification(db: Queryable, row: NewVerification): Promise<void> {
  await db.query(
    'insert into verifications (id, identifier, value, expires_at, created_at, updated_at) values ($1, $2, $3, $4, $5, $5)',
    [row.id, row.identifier, row.value, row.expiresAt, row.now],
  );
}

/** What waits under that name, which nobody gets a second time; null when nothing does, or no longer. */
export async function takeVerification(tx: Queryable, identifier: string, now: Date): Promise<string | null> {
  const { rows } = await tx.query<{ value: string; expiresAt: Date }>(
    'delete from verifications where identifier = $1 returning value, expires_at as "expiresAt"',
    [identifier],
  );
  const [row] = rows;
  return row && row.expiresAt > now ? row.value : null;
}

/** Ends the links to set a new password that are under way to somebody. */
export async function deleteResetLinks(tx: Queryable, userId: UserId): Promise<void> {
  await tx.query('delete from verifications where value = $1', [userId]);
}

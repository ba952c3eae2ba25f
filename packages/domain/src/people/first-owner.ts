import {
  announcePerson,
  findUnclaimedOwner,
  hasServerAdmin,
  insertOrganizationMember,
  lockProvisioning,
  makeServerAdmin,
  type Queryable,
} from '@carcosa/database';
import type { UserId } from '@carcosa/kernel';
import { DEFAULT_SLUG } from '../provisioning/service.ts';

/**
 * Gives a server that nobody runs yet to its oldest account: she becomes its administrator and the owner of the default
 * organization. Does nothing ever after. Idempotent, so that a crash between an account and this costs nothing.
 * @returns who became the owner; null when somebody runs the server already
 */
export async function claimServer(tx: Queryable): Promise<UserId | null> {
  await lockProvisioning(tx);
  const unclaimed = await findUnclaimedOwner(tx, DEFAULT_SLUG);
  if (!unclaimed) return null;
  const { userId, organizationId } = unclaimed;
  await makeServerAdmin(tx, userId);
  await insertOrganizationMember(tx, { organizationId, userId, role: 'owner' });
  await announcePerson(tx, userId);
  return userId;
}

/** Whether nobody runs the server yet. */
export async function isUnclaimed(db: Queryable): Promise<boolean> {
  return !(await hasServerAdmin(db));
}

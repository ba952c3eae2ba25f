import {
  announcePerson,
  findUnclaimedOwner,
  hasServerAdmin,
  insertOrganizationMember,
  lockProvisioning,
  makeServerAdmin,
  type Queryable,
} from '@carcosa/database';
import type { Clock, UserId } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { DEFAULT_SLUG } from '../provisioning/service.ts';

/**
 * Gives a server that nobody runs yet to its oldest account: she becomes its administrator and the owner of the default
 * organization. Does nothing ever after. Idempotent, so that a crash between an account and this costs nothing.
 * @param chosen somebody who comes before the oldest
 * @returns who became the owner; null when somebody runs the server already
 */
export async function claimServer(tx: Queryable, clock: Clock, chosen?: UserId): Promise<UserId | null> {
  await lockProvisioning(tx);
  const unclaimed = await findUnclaimedOwner(tx, DEFAULT_SLUG);
  if (!unclaimed) return null;
  const { organizationId } = unclaimed;
  const userId = chosen ?? unclaimed.userId;
  await makeServerAdmin(tx, userId);
  await insertOrganizationMember(tx, { organizationId, userId, role: 'owner' });
  await announcePerson(tx, userId);
  await record(tx, clock, SYSTEM, { action: 'user.grant-server-admin', resource: { type: 'user', id: userId } });
  const resource = { type: 'member', id: userId } as const;
  await record(tx, clock, SYSTEM, {
    action: 'member.add',
    resource,
    place: { organizationId },
    after: { role: 'owner' },
  });
  return userId;
}

/** Whether nobody runs the server yet. */
export async function isUnclaimed(db: Queryable): Promise<boolean> {
  return !(await hasServerAdmin(db));
}

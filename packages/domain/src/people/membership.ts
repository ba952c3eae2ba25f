import { announcePerson, type Queryable } from '@carcosa/database';
import type { UserId } from '@carcosa/kernel';

/**
 * For every transaction that changes what somebody is a member of, or her role: all nodes read it anew when that commits. The node
 * itself should call {@link SessionCache.invalidate} after the commit, so that its very next request knows too.
 */
export async function announceMembership(tx: Queryable, userId: UserId): Promise<void> {
  await announcePerson(tx, userId);
}

import {
  announcePerson,
  deleteResetLinks,
  deleteUser,
  holdOwners,
  isLastServerAdmin,
  listMemberships,
  lockUser,
  type MembershipRow,
  type Queryable,
} from '@carcosa/database';
import { CarcosaError, type Clock } from '@carcosa/kernel';
import type { Actor, UserActor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { assertPassword, type PresentPasswordParts } from './present-password.ts';
import { person } from './visitor.ts';

export interface AccountRemovalParts extends PresentPasswordParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
}

/** Ends accounts by the wish of those who have them. */
export class AccountRemoval {
  readonly #parts: AccountRemovalParts;

  constructor(parts: AccountRemovalParts) {
    this.#parts = parts;
  }

  /**
   * Removes the account of the actor: sessions, ways to log in and memberships end at once, on every node. What it did stays in the audit
   * log, and what it made belongs to organizations and stays there.
   * @throws CarcosaError `invalid_credentials` for a wrong password; `last_owner` (details: the organizations) while an organization would
   *   be left without an owner; `conflict` for the only administrator of the server
   */
  async removeOwn(actor: Actor, password: string | undefined): Promise<void> {
    const user = person(actor);
    await assertPassword(this.#parts, user, password);
    await this.#parts.transaction(async (tx) => {
      const memberships = await listMemberships(tx, user.id);
      await assertDispensable(tx, user, memberships);
      // From here on nobody can make the person a member of anything; what somebody did before is seen.
      await lockUser(tx, user.id);
      if ((await listMemberships(tx, user.id)).length !== memberships.length)
        throw new CarcosaError('conflict', { message: 'Your memberships have changed meanwhile; try again.' });
      for (const { id: organizationId, role } of memberships)
        await record(tx, this.#parts.clock, user, {
          ...{ action: 'member.leave', resource: { type: 'member', id: user.id }, place: { organizationId } },
          before: { role },
        });
      await record(tx, this.#parts.clock, user, { action: 'user.delete', resource: { type: 'user', id: user.id } });
      await deleteResetLinks(tx, user.id);
      await announcePerson(tx, user.id);
      if (!(await deleteUser(tx, user.id))) throw new CarcosaError('unauthenticated');
    });
    await this.#parts.sessions.forget(user.id);
  }
}

async function assertDispensable(tx: Queryable, user: UserActor, memberships: MembershipRow[]): Promise<void> {
  const orphaned: { id: string; name: string }[] = [];
  // In one order, so that two who leave never wait for each other.
  for (const { id, name } of [...memberships].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const owners = await holdOwners(tx, id);
    if (owners.length === 1 && owners[0] === user.id) orphaned.push({ id, name });
  }
  if (orphaned.length > 0) {
    throw new CarcosaError('last_owner', {
      message: 'You are the last owner of an organization. Transfer it to somebody, or remove it, first.',
      details: { organizations: orphaned },
    });
  }
  // The next stranger who registers must not become it.
  if (await isLastServerAdmin(tx, user.id))
    throw new CarcosaError('conflict', { message: 'You are the only administrator of this server, which needs one.' });
}

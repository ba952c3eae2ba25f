import {
  type CreateOrganizationBody,
  type ListQuery,
  type Member,
  type MemberRole,
  type Organization,
  type Page,
  slugOf,
  type UpdateOrganizationBody,
} from '@carcosa/contracts';
import {
  countOrganizationContents,
  deleteOrganization,
  findMember,
  findOrganization,
  holdOwners,
  insertOrganization,
  insertTeam,
  isUniqueViolation,
  listMembers,
  listOrganizations,
  type MemberRow,
  type OrganizationRow,
  putMember,
  type Queryable,
  removeMember,
  renameOrganization,
  upsertBucket,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type IdGenerator,
  isId,
  type OrganizationId,
  type Random,
  randomToken,
  toIsoString,
  type UserId,
} from '@carcosa/kernel';
import { authorizeOrganization } from '../access/access.ts';
import type { Actor, UserActor } from '../access/actor.ts';
import type { AuditEvent } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';

export interface TreeParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  ids: IdGenerator;
  random: Random;
  clock: Clock;
  /** Tells every node, when the transaction commits, that what somebody is a member of has changed. */
  announceMembership(tx: Queryable, userId: UserId): Promise<void>;
}

export interface OrganizationServiceParts extends TreeParts {
  /** Whether new organizations get a bucket on this machine; not where the server keeps nothing on its own disk. */
  givesLocalBucket: boolean;
}

/** Organizations and who belongs to them. Every method throws `not_found` for one that the actor is no member of. */
export class OrganizationService {
  readonly #parts: OrganizationServiceParts;

  constructor(parts: OrganizationServiceParts) {
    this.#parts = parts;
  }

  /** Makes an organization that its maker owns, with a first team called like it. @throws CarcosaError `conflict` for a taken slug */
  async create(actor: Actor, { name, slug }: CreateOrganizationBody): Promise<Organization> {
    const user = userOf(actor);
    const row = await this.#insert(user, name, slug ?? `${slugOf(name).slice(0, 50)}`, slug !== undefined);
    return { ...viewOf(row), role: 'owner' };
  }

  /** Those that the actor is a member of. */
  async list(actor: Actor, query: ListQuery): Promise<Page<Organization>> {
    const { organizations } = userOf(actor);
    const page = { limit: query.limit, after: afterId('organizations', query.cursor) };
    const rows = await listOrganizations(this.#parts.db, [...organizations.keys()], page);
    return pageOf('organizations', rows, query.limit, (row) => this.#view(actor, row));
  }

  async get(actor: Actor, id: string): Promise<Organization> {
    authorizeOrganization(actor, 'read', known(id));
    return this.#view(actor, found(await findOrganization(this.#parts.db, known(id))));
  }

  async update(actor: Actor, id: string, { name }: UpdateOrganizationBody): Promise<Organization> {
    authorizeOrganization(actor, 'manage', known(id));
    const row = await this.#parts.transaction(async (tx) => {
      const before = await findOrganization(tx, known(id));
      const event = { action: 'organization.update', before: { name: before?.name }, after: { name } } as const;
      await this.#record(tx, actor, known(id), event);
      return await renameOrganization(tx, known(id), name);
    });
    return this.#view(actor, found(row));
  }

  /** Removes an organization that keeps nothing any more. @throws CarcosaError `conflict` with what it keeps */
  async remove(actor: Actor, id: string): Promise<void> {
    authorizeOrganization(actor, 'own', known(id));
    await this.#parts.transaction(async (tx) => {
      const members = await everyMember(tx, known(id));
      await holdOwners(tx, known(id));
      const contents = await countOrganizationContents(tx, known(id));
      if (contents.projects > 0 || contents.buckets > 0) {
        const message =
          'Remove the projects of the organization first, and wait until the files of its buckets are gone.';
        throw new CarcosaError('conflict', { message, details: contents });
      }
      await deleteOrganization(tx, known(id));
      await this.#record(tx, actor, known(id), { action: 'organization.delete' });
      for (const { userId } of members) await this.#parts.announceMembership(tx, userId);
    });
  }

  async listMembers(actor: Actor, id: string, query: ListQuery): Promise<Page<Member>> {
    authorizeOrganization(actor, 'read', known(id));
    const page = { limit: query.limit, after: afterId('members', query.cursor) };
    return pageOf('members', await listMembers(this.#parts.db, known(id), page), query.limit, memberOf);
  }

  /**
   * Gives a member another role. Only owners make owners, or change them; the last owner stays one.
   * @throws CarcosaError `forbidden`, `last_owner`
   */
  async setRole(actor: Actor, id: string, userId: string, role: MemberRole): Promise<Member> {
    authorizeOrganization(actor, 'manage', known(id));
    return await this.#parts.transaction(async (tx) => {
      const owners = await holdOwners(tx, known(id));
      const member = await findMember(tx, known(id), knownUser(userId));
      if (!member) throw new CarcosaError('not_found');
      if (member.role === 'owner' || role === 'owner') authorizeOrganization(actor, 'own', known(id));
      if (member.role === 'owner' && role !== 'owner') assertNotLast(owners);
      await putMember(tx, { organizationId: known(id), userId: member.userId, role });
      await this.#record(tx, actor, known(id), {
        ...{ action: 'member.update', resource: { type: 'member', id: member.userId } },
        ...{ before: { role: member.role }, after: { role } },
      });
      await this.#parts.announceMembership(tx, member.userId);
      return memberOf({ ...member, role });
    });
  }

  /** Takes a member out, or leaves: everybody may leave but the last owner. @throws CarcosaError `forbidden`, `last_owner` */
  async removeMember(actor: Actor, id: string, userId: string): Promise<void> {
    const isSelf = actor.type === 'user' && actor.id === userId;
    authorizeOrganization(actor, isSelf ? 'read' : 'manage', known(id));
    await this.#parts.transaction(async (tx) => {
      const owners = await holdOwners(tx, known(id));
      const member = await findMember(tx, known(id), knownUser(userId));
      if (!member) throw new CarcosaError('not_found');
      if (member.role === 'owner') {
        if (!isSelf) authorizeOrganization(actor, 'own', known(id));
        assertNotLast(owners);
      }
      await removeMember(tx, known(id), member.userId);
      await this.#record(tx, actor, known(id), {
        ...{ action: isSelf ? 'member.leave' : 'member.remove', resource: { type: 'member', id: member.userId } },
        before: { role: member.role },
      });
      await this.#parts.announceMembership(tx, member.userId);
    });
  }

  /** Makes a member the owner in the actor's place; the actor stays as an admin. */
  async transfer(actor: Actor, id: string, userId: string): Promise<Member> {
    authorizeOrganization(actor, 'own', known(id));
    const user = userOf(actor);
    return await this.#parts.transaction(async (tx) => {
      await holdOwners(tx, known(id));
      // Asked again under the lock: two transfers at once must not leave two heirs.
      const [self, heir] = [
        await findMember(tx, known(id), user.id),
        await findMember(tx, known(id), knownUser(userId)),
      ];
      if (self?.role !== 'owner') throw new CarcosaError('conflict', { message: 'You are no owner any more.' });
      if (!heir) throw new CarcosaError('not_found');
      if (heir.userId !== user.id) {
        await putMember(tx, { organizationId: known(id), userId: heir.userId, role: 'owner' });
        await putMember(tx, { organizationId: known(id), userId: user.id, role: 'admin' });
      }
      const event = {
        action: 'organization.transfer',
        before: { owner: user.id },
        after: { owner: heir.userId },
      } as const;
      await this.#record(tx, actor, known(id), event);
      for (const each of [user.id, heir.userId]) await this.#parts.announceMembership(tx, each);
      return memberOf({ ...heir, role: 'owner' });
    });
  }

  async #insert(user: UserActor, name: string, slug: string, isGiven: boolean): Promise<OrganizationRow> {
    const { transaction, ids, random, announceMembership, givesLocalBucket } = this.#parts;
    const id = ids.next('organization');
    try {
      return await transaction(async (tx) => {
        await insertOrganization(tx, { id, name, slug });
        await insertTeam(tx, { id: ids.next('team'), organizationId: id, name, slug: 'default' });
        const bucket = { id: ids.next('bucket'), organizationId: id, name: 'local', provider: 'local' as const };
        if (givesLocalBucket) await upsertBucket(tx, { ...bucket, config: {} });
        await putMember(tx, { organizationId: id, userId: user.id, role: 'owner' });
        await this.#record(tx, user, id, { action: 'organization.create', after: { name, slug } });
        await announceMembership(tx, user.id);
        return found(await findOrganization(tx, id));
      });
    } catch (error) {
      if (!isUniqueViolation(error, 'organizations_slug_unique')) throw error;
      if (isGiven) throw new CarcosaError('conflict', { message: 'An organization with that slug exists already.' });
      // Nobody chose it: another one does as well.
      return await this.#insert(user, name, `${slug.slice(0, 50)}-${randomToken(random, 6).toLowerCase()}`, false);
    }
  }

  #record(tx: Queryable, actor: Actor, organizationId: OrganizationId, event: AuditEvent): Promise<void> {
    const resource = { type: 'organization', id: organizationId } as const;
    return record(tx, this.#parts.clock, actor, { resource, ...event, place: { organizationId } });
  }

  #view(actor: Actor, row: OrganizationRow): Organization {
    return { ...viewOf(row), role: actor.type === 'user' ? (actor.organizations.get(row.id) ?? null) : null };
  }
}

/** @throws CarcosaError `forbidden` for programs: what is asked concerns people */
export function userOf(actor: Actor): UserActor {
  if (actor.type === 'user') return actor;
  throw new CarcosaError('forbidden', { message: 'Only a person who is logged in may do that, not a key.' });
}

export const knownUser = (id: string): UserId => {
  if (!isId('user', id)) throw new CarcosaError('not_found');
  return id;
};

export const memberOf = ({ createdAt, ...row }: MemberRow): Member => ({
  ...row,
  createdAt: toIsoString(createdAt.getTime()),
});

function known(id: string): OrganizationId {
  if (!isId('organization', id)) throw new CarcosaError('not_found');
  return id;
}

function found<Row>(row: Row | null): Row {
  if (!row) throw new CarcosaError('not_found');
  return row;
}

function assertNotLast(owners: readonly UserId[]): void {
  if (owners.length <= 1) throw new CarcosaError('last_owner');
}

function viewOf({ createdAt, ...row }: OrganizationRow): Omit<Organization, 'role'> {
  return { ...row, createdAt: toIsoString(createdAt.getTime()) };
}

async function everyMember(tx: Queryable, id: OrganizationId): Promise<MemberRow[]> {
  return await listMembers(tx, id, { limit: 1_000_000, after: undefined });
}

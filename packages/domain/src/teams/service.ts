import {
  type CreateTeamBody,
  type ListQuery,
  type ListTeamsQuery,
  type Member,
  type MemberRole,
  type Page,
  slugOf,
  type Team,
} from '@carcosa/contracts';
import {
  countTeamProjects,
  deleteTeam,
  findTeam,
  findTeamRole,
  insertTeam,
  isUniqueViolation,
  listTeamMembers,
  listTeams,
  putTeamMember,
  type Queryable,
  removeTeamMember,
  renameTeam,
  type TeamRow,
} from '@carcosa/database';
import { CarcosaError, isId, type TeamId, toIsoString, type UserId } from '@carcosa/kernel';
import { authorizeOrganization, authorizeTeam, type Control, roleInTeam } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { AuditEvent } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import { knownUser, memberOf, type TreeParts, userOf } from '../organizations/service.ts';

/** Teams of organizations, which own projects. Every method throws `not_found` for one that the actor may not know of. */
export class TeamService {
  readonly #parts: TreeParts;

  constructor(parts: TreeParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `conflict` for a taken slug */
  async create(actor: Actor, { organizationId, name, slug }: CreateTeamBody): Promise<Team> {
    if (!isId('organization', organizationId)) throw new CarcosaError('not_found');
    authorizeOrganization(actor, 'manage', organizationId);
    const id = this.#parts.ids.next('team');
    try {
      const row = await this.#parts.transaction(async (tx) => {
        await insertTeam(tx, { id, organizationId, name, slug: slug ?? slugOf(name) });
        const team = found(await findTeam(tx, id));
        await this.#record(tx, actor, team, { action: 'team.create', after: { name, slug: team.slug } });
        return team;
      });
      return this.#view(actor, row);
    } catch (error) {
      if (!isUniqueViolation(error, 'teams_slug')) throw error;
      throw new CarcosaError('conflict', { message: 'A team with that slug exists already; give another one.' });
    }
  }

  /** All teams of organizations that the actor runs, and those that the actor is a member of. */
  async list(actor: Actor, query: ListTeamsQuery): Promise<Page<Team>> {
    const user = userOf(actor);
    const runs = [...user.organizations].filter(([, role]) => role === 'owner' || role === 'admin').map(([id]) => id);
    const wanted = query.organizationId;
    if (wanted !== undefined && !user.organizations.has(wanted as never)) throw new CarcosaError('not_found');
    const page = { limit: query.limit, after: afterId('teams', query.cursor) };
    const rows = await listTeams(
      this.#parts.db,
      { organizations: runs, teams: [...user.teams.keys()], organizationId: wanted },
      page,
    );
    return pageOf('teams', rows, query.limit, (row) => this.#view(actor, row));
  }

  async get(actor: Actor, id: string): Promise<Team> {
    return this.#view(actor, await this.#find(actor, 'read', id));
  }

  async update(actor: Actor, id: string, { name }: { name: string }): Promise<Team> {
    const team = await this.#find(actor, 'manage', id);
    const row = await this.#parts.transaction(async (tx) => {
      await this.#record(tx, actor, team, { action: 'team.update', before: { name: team.name }, after: { name } });
      return await renameTeam(tx, team.id, name);
    });
    return this.#view(actor, found(row));
  }

  /** Removes a team that has no project any more. @throws CarcosaError `conflict` */
  async remove(actor: Actor, id: string): Promise<void> {
    const team = await this.#find(actor, 'manage', id);
    authorizeOrganization(actor, 'manage', team.organizationId);
    await this.#parts.transaction(async (tx) => {
      const projects = await countTeamProjects(tx, team.id);
      if (projects > 0 || !(await deleteTeam(tx, team.id))) {
        const message = 'Remove the projects of the team first.';
        throw new CarcosaError('conflict', { message, details: { projects } });
      }
      await this.#record(tx, actor, team, { action: 'team.delete', before: { name: team.name } });
    });
  }

  async listMembers(actor: Actor, id: string, query: ListQuery): Promise<Page<Member>> {
    const team = await this.#find(actor, 'read', id);
    const page = { limit: query.limit, after: afterId('team-members', query.cursor) };
    return pageOf('team-members', await listTeamMembers(this.#parts.db, team.id, page), query.limit, memberOf);
  }

  /**
   * Gives a member of the organization a role in the team. Only who owns the team makes owners of it.
   * @throws CarcosaError `not_found` for somebody who is no member of the organization
   */
  async setRole(actor: Actor, id: string, userId: string, role: MemberRole): Promise<void> {
    const team = await this.#find(actor, role === 'owner' ? 'own' : 'manage', id);
    await this.#parts.transaction(async (tx) => {
      await this.#assertMayChange(tx, actor, team, knownUser(userId));
      if (!(await putTeamMember(tx, team.id, knownUser(userId), role))) throw new CarcosaError('not_found');
      await this.#record(tx, actor, team, {
        ...{ action: 'member.update', resource: { type: 'member', id: userId }, after: { teamId: team.id, role } },
      });
      await this.#parts.announceMembership(tx, knownUser(userId));
    });
  }

  /** Takes somebody out of the team, or leaves it. */
  async removeMember(actor: Actor, id: string, userId: string): Promise<void> {
    const isSelf = actor.type === 'user' && actor.id === userId;
    const team = await this.#find(actor, isSelf ? 'read' : 'manage', id);
    await this.#parts.transaction(async (tx) => {
      if (!isSelf) await this.#assertMayChange(tx, actor, team, knownUser(userId));
      if (!(await removeTeamMember(tx, team.id, knownUser(userId)))) throw new CarcosaError('not_found');
      await this.#record(tx, actor, team, {
        ...{ action: isSelf ? 'member.leave' : 'member.remove', resource: { type: 'member', id: userId } },
        before: { teamId: team.id },
      });
      await this.#parts.announceMembership(tx, knownUser(userId));
    });
  }

  async #find(actor: Actor, control: Control, id: string): Promise<TeamRow> {
    const team = isId('team', id) ? await findTeam(this.#parts.db, id) : null;
    if (!team) throw new CarcosaError('not_found');
    authorizeTeam(actor, control, placeOf(team));
    return team;
  }

  /** Owners of a team are changed by owners alone. */
  async #assertMayChange(tx: Queryable, actor: Actor, team: TeamRow, userId: UserId): Promise<void> {
    if ((await findTeamRole(tx, team.id, userId)) === 'owner') authorizeTeam(actor, 'own', placeOf(team));
  }

  #record(tx: Queryable, actor: Actor, team: TeamRow, event: AuditEvent): Promise<void> {
    const resource = { type: 'team', id: team.id } as const;
    return record(tx, this.#parts.clock, actor, { resource, ...event, place: { organizationId: team.organizationId } });
  }

  #view(actor: Actor, row: TeamRow): Team {
    const role = actor.type === 'user' ? (roleInTeam(actor, placeOf(row)) ?? null) : null;
    return { ...row, role, createdAt: toIsoString(row.createdAt.getTime()) };
  }
}

const placeOf = ({ id: teamId, organizationId }: TeamRow) => ({ teamId: teamId as TeamId, organizationId });

function found<Row>(row: Row | null): Row {
  if (!row) throw new CarcosaError('not_found');
  return row;
}

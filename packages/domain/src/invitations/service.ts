import { createHash } from 'node:crypto';
import type { Invitation, InvitationPreview, InviteBody, ListQuery, MemberRole, Page } from '@carcosa/contracts';
import {
  endExpiredInvitations,
  endInvitation,
  findInvitation,
  findInvitationByToken,
  findMember,
  findTeam,
  findUserEmail,
  holdOwners,
  type InvitationRow,
  insertInvitation,
  isUniqueViolation,
  listInvitations,
  putMember,
  putTeamMember,
  type Queryable,
  renewInvitation,
} from '@carcosa/database';
import { CarcosaError, isId, type OrganizationId, randomToken, type TeamId, toIsoString } from '@carcosa/kernel';
import { authorizeOrganization, authorizeTeam } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { AnonymousActor, AuditEvent } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import { type TreeParts, userOf } from '../organizations/service.ts';

/** How long a link opens, in milliseconds: 7 days. */
export const INVITATION_LIFETIME_MS = 7 * 24 * 3600 * 1000;
const TOKEN_LENGTH = 43;

/** What is told to somebody who is invited. */
export interface InvitationMessage {
  to: string;
  organization: string;
  /** Null: to the organization alone. */
  team: string | null;
  role: MemberRole;
  /** Opens the invitation. A secret until it is accepted. */
  link: string;
}

export interface InvitationServiceParts extends TreeParts {
  /** Without a "/" at its end. */
  publicUrl: string;
  /** Sends the link. It is called when the invitation is committed; a failure is the sender's to retry and to log. */
  send(message: InvitationMessage): Promise<void>;
}

/** An invitation with its link, which is shown to whoever invites: they may pass it on by other ways. */
export type SentInvitation = Invitation & { link: string };

/**
 * Invitations to organizations and teams by a link that is sent to an address. Only the person with that address can accept, once,
 * while it is pending and its time is not over. The database keeps no more of the link than a hash.
 */
export class InvitationService {
  readonly #parts: InvitationServiceParts;

  constructor(parts: InvitationServiceParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `conflict` for an address that is invited already, or belongs to a member */
  async invite(actor: Actor, organizationId: string, input: InviteBody): Promise<SentInvitation> {
    const place = await this.#place(actor, organizationId, input);
    const { ids, clock, transaction } = this.#parts;
    const { token, tokenHash } = this.#newToken();
    const now = clock.now();
    const id = ids.next('invitation');
    const row = {
      ...{ id, ...place, email: input.email, role: input.role, tokenHash, invitedBy: userOf(actor).id },
      ...{ expiresAt: new Date(now + INVITATION_LIFETIME_MS), createdAt: new Date(now) },
    };
    try {
      const made = await transaction(async (tx) => {
        await endExpiredInvitations(tx, row, new Date(now));
        await insertInvitation(tx, row);
        const after = { email: row.email, role: row.role, teamId: row.teamId };
        await this.#record(tx, actor, row, { action: 'invitation.create', after });
        return await findInvitation(tx, id);
      });
      return await this.#send(found(made), token);
    } catch (error) {
      if (!isUniqueViolation(error, 'invitations_pending')) throw error;
      throw new CarcosaError('conflict', { message: 'That address is invited already; send the invitation again.' });
    }
  }

  async list(actor: Actor, organizationId: string, query: ListQuery): Promise<Page<Invitation>> {
    authorizeOrganization(actor, 'manage', knownOrganization(organizationId));
    const page = { limit: query.limit, after: afterId('invitations', query.cursor) };
    const rows = await listInvitations(this.#parts.db, knownOrganization(organizationId), page);
    return pageOf('invitations', rows, query.limit, (row) => this.#view(row));
  }

  /** Sends a new link; the one before it opens nothing any more. @throws CarcosaError `conflict` when it has ended */
  async resend(actor: Actor, id: string): Promise<SentInvitation> {
    const row = await this.#manage(actor, id);
    const { token, tokenHash } = this.#newToken();
    const expiresAt = new Date(this.#parts.clock.now() + INVITATION_LIFETIME_MS);
    const renewed = await this.#parts.transaction(async (tx) => {
      await this.#record(tx, actor, row, { action: 'invitation.resend' });
      return await renewInvitation(tx, row.id, { tokenHash, expiresAt });
    });
    if (!renewed) throw ended();
    return await this.#send({ ...row, expiresAt }, token);
  }

  /** @throws CarcosaError `conflict` when it has ended */
  async revoke(actor: Actor, id: string): Promise<void> {
    const row = await this.#manage(actor, id);
    const now = new Date(this.#parts.clock.now());
    await this.#parts.transaction(async (tx) => {
      if (!(await endInvitation(tx, row.id, 'revoked', now))) throw ended();
      await this.#record(tx, actor, row, { action: 'invitation.revoke' });
    });
  }

  /** What the holder of a link may know. @throws CarcosaError `not_found` for a link that opens nothing (any more) */
  async preview(token: string): Promise<InvitationPreview> {
    const row = this.#open(await findInvitationByToken(this.#parts.db, hashOf(token)));
    return {
      organization: { id: row.organizationId, name: row.organizationName },
      team: row.teamId === null ? null : { id: row.teamId, name: row.teamName ?? '' },
      email: row.email,
      role: row.role,
      expiresAt: toIsoString(row.expiresAt.getTime()),
    };
  }

  /**
   * Makes the actor a member, if the invitation is for its address. Who is a member already keeps a role that is there.
   * @throws CarcosaError `not_found` for a link that opens nothing (any more), `forbidden` for somebody else's
   */
  async accept(actor: Actor, token: string): Promise<Invitation> {
    const user = userOf(actor);
    return await this.#parts.transaction(async (tx) => {
      const row = this.#open(await findInvitationByToken(tx, hashOf(token), true));
      if ((await findUserEmail(tx, user.id)) !== row.email) {
        throw new CarcosaError('forbidden', {
          message: 'This invitation is for another e-mail address; log in with that one.',
        });
      }
      await holdOwners(tx, row.organizationId);
      await endInvitation(tx, row.id, 'accepted', new Date(this.#parts.clock.now()));
      const member = await findMember(tx, row.organizationId, user.id);
      const role = row.teamId === null ? row.role : 'member';
      if (!member) await putMember(tx, { organizationId: row.organizationId, userId: user.id, role });
      if (row.teamId !== null) await putTeamMember(tx, row.teamId, user.id, row.role);
      const after = { userId: user.id, teamId: row.teamId, role: row.role };
      await this.#record(tx, actor, row, { action: 'invitation.accept', after });
      await this.#parts.announceMembership(tx, user.id);
      return this.#view({ ...row, status: 'accepted' });
    });
  }

  /** The link is proof enough: nobody needs an account to say no. */
  async decline(actor: Actor | AnonymousActor, token: string): Promise<void> {
    await this.#parts.transaction(async (tx) => {
      const row = this.#open(await findInvitationByToken(tx, hashOf(token), true));
      await endInvitation(tx, row.id, 'declined', new Date(this.#parts.clock.now()));
      await this.#record(tx, actor, row, { action: 'invitation.decline' });
    });
  }

  /** Where the actor may invite to, with that role. */
  async #place(actor: Actor, organizationId: string, { role, teamId }: InviteBody) {
    const control = role === 'owner' ? 'own' : 'manage';
    const id = knownOrganization(organizationId);
    if (teamId === undefined) {
      authorizeOrganization(actor, control, id);
      return { organizationId: id, teamId: null };
    }
    authorizeOrganization(actor, 'read', id);
    const team = isId('team', teamId) ? await findTeam(this.#parts.db, teamId) : null;
    if (team?.organizationId !== id) throw new CarcosaError('not_found');
    authorizeTeam(actor, control, { organizationId: id, teamId: team.id });
    return { organizationId: id, teamId: team.id as TeamId | null };
  }

  async #manage(actor: Actor, id: string): Promise<InvitationRow> {
    const row = isId('invitation', id) ? await findInvitation(this.#parts.db, id) : null;
    if (!row) throw new CarcosaError('not_found');
    const { organizationId, teamId } = row;
    if (teamId === null) authorizeOrganization(actor, row.role === 'owner' ? 'own' : 'manage', organizationId);
    else authorizeTeam(actor, row.role === 'owner' ? 'own' : 'manage', { organizationId, teamId });
    return row;
  }

  #record(
    tx: Queryable,
    actor: Actor | AnonymousActor,
    { id, organizationId }: Pick<InvitationRow, 'id' | 'organizationId'>,
    event: AuditEvent,
  ): Promise<void> {
    const resource = { type: 'invitation', id } as const;
    return record(tx, this.#parts.clock, actor, { resource, ...event, place: { organizationId } });
  }

  #open(row: InvitationRow | null): InvitationRow {
    const isOpen = row?.status === 'pending' && row.expiresAt.getTime() > this.#parts.clock.now();
    if (isOpen) return row;
    throw new CarcosaError('not_found', {
      message: 'This invitation was used, withdrawn or has expired; ask whoever invited you for a new one.',
    });
  }

  #newToken(): { token: string; tokenHash: Buffer } {
    const token = randomToken(this.#parts.random, TOKEN_LENGTH);
    return { token, tokenHash: hashOf(token) };
  }

  async #send(row: InvitationRow, token: string): Promise<SentInvitation> {
    // Behind "#": what stands there reaches no server, proxy or log.
    const link = `${this.#parts.publicUrl}/invitation#token=${token}`;
    const { email: to, organizationName: organization, teamName: team, role } = row;
    await this.#parts.send({ to, organization, team, role, link });
    return { ...this.#view(row), link };
  }

  #view({ organizationName: _o, teamName: _t, expiresAt, createdAt, ...row }: InvitationRow): Invitation {
    const isExpired = row.status === 'pending' && expiresAt.getTime() <= this.#parts.clock.now();
    return {
      ...row,
      status: isExpired ? 'expired' : row.status,
      expiresAt: toIsoString(expiresAt.getTime()),
      createdAt: toIsoString(createdAt.getTime()),
    };
  }
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

const ended = () => new CarcosaError('conflict', { message: 'This invitation has ended; make a new one.' });

function knownOrganization(id: string): OrganizationId {
  if (!isId('organization', id)) throw new CarcosaError('not_found');
  return id;
}

function found<Row>(row: Row | null): Row {
  if (!row) throw new CarcosaError('not_found');
  return row;
}

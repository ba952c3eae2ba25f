import type {
  AuditEntry,
  AuditVerification,
  ExportAuditQuery,
  ListAuditQuery,
  Page,
  VerifyAuditQuery,
} from '@carcosa/contracts';
import { type AuditFilter, listAudit, type Queryable } from '@carcosa/database';
import { CarcosaError, isId, type OrganizationId, type ProjectId } from '@carcosa/kernel';
import { type Access, authorizeOrganization, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { Place } from '../access/grant.ts';
import { decodeCursor, encodeCursor } from '../files/cursor.ts';
import { verifyAudit } from './audit-verifier.ts';
import { AUDIT_FORMATS, auditView } from './audit-view.ts';

/** Entries that an export reads at once. */
const EXPORT_BATCH = 200;
/** Chains that one process verifies at once: each holds a connection while it does. */
const MAX_VERIFICATIONS = 2;

export interface AuditServiceParts {
  db: Queryable;
  /** Runs `work` on one unchanging view of the database (repeatable read). */
  snapshot<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  access: Access;
  projects: {
    /** Where a project stands. @throws CarcosaError `not_found` */
    placeOf(id: ProjectId): Promise<Place>;
  };
}

type Filters = Omit<ExportAuditQuery, 'format'>;

/**
 * Shows what was recorded. A key sees its project, one that is confined to a tenant that tenant's; owners and admins see their
 * organization or a project of it; administrators of the server, by naming neither, what belongs to no organization. Of everything
 * else one learns nothing: `not_found`.
 */
export class AuditService {
  readonly #parts: AuditServiceParts;
  readonly #verifying = new Map<string, Promise<AuditVerification>>();

  constructor(parts: AuditServiceParts) {
    this.#parts = parts;
  }

  /** A page of entries, newest first. */
  async list(actor: Actor, { limit, cursor, ...filters }: ListAuditQuery): Promise<Page<AuditEntry>> {
    const filter = await this.#filterFor(actor, filters);
    const [at, id] = cursor === undefined ? [] : decodeCursor('audit', cursor, [0, 0]);
    const after = at === undefined || id === undefined ? undefined : { at, id };
    const rows = await listAudit(this.#parts.db, { ...filter, limit: limit + 1, after });
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    const hasMore = rows.length > limit;
    return {
      items: items.map(auditView),
      nextCursor: hasMore && last ? encodeCursor('audit', [Date.parse(last.at), last.id]) : null,
      hasMore,
    };
  }

  /**
   * All entries, newest first, as text that is made while it is read: memory does not grow with their number. Resolves when it is
   * decided that the actor may see them.
   */
  async export(actor: Actor, { format, ...filters }: ExportAuditQuery): Promise<AsyncIterable<string>> {
    return this.#write(await this.#filterFor(actor, filters), format);
  }

  /**
   * Verifies the chain of an organization, for its owners; of what belongs to none, for administrators of the server. Who asks while
   * that is under way gets the same answer.
   * @throws CarcosaError `overloaded` while others are verified
   */
  async verify(actor: Actor, { organizationId }: VerifyAuditQuery): Promise<AuditVerification> {
    const organization = this.#organizationFor(actor, 'own', organizationId);
    const running = this.#verifying.get(organization);
    if (running) return await running;
    if (this.#verifying.size >= MAX_VERIFICATIONS) throw new CarcosaError('overloaded', { retryAfter: 5 });
    const verification = verifyAudit(this.#parts, organization).finally(() => this.#verifying.delete(organization));
    this.#verifying.set(organization, verification);
    return await verification;
  }

  async *#write(filter: AuditFilter, format: ExportAuditQuery['format']): AsyncGenerator<string> {
    const { head, line } = AUDIT_FORMATS[format];
    if (head !== '') yield head;
    let after: { at: number; id: number } | undefined;
    for (;;) {
      const rows = await listAudit(this.#parts.db, { ...filter, limit: EXPORT_BATCH, after });
      const last = rows.at(-1);
      if (last) yield rows.map(line).join('');
      if (!last || rows.length < EXPORT_BATCH) return;
      after = { at: Date.parse(last.at), id: last.id };
    }
  }

  /** What the actor may see of what it asks for. */
  async #filterFor(actor: Actor, query: Filters): Promise<AuditFilter> {
    const { organizationId, projectId, tenantId, actor: actorId, resource: resourceId, from, to, ...rest } = query;
    const wanted = {
      ...{ ...rest, actorId, resourceId },
      from: from === undefined ? undefined : Date.parse(from),
      to: to === undefined ? undefined : Date.parse(to),
    };
    const isBound = actor.type === 'api-key' || actor.type === 'tenant-token';
    if (!isBound && projectId === undefined)
      return { ...wanted, tenantId, organizationId: this.#organizationFor(actor, 'manage', organizationId) };
    const project = projectOf(actor, projectId);
    const grant = await this.#parts.access.authorize(actor, 'audit-logs:read', project);
    if (grant.pathPrefix !== '') throw confinedToFolder(grant.pathPrefix);
    if (grant.tenantId !== null && tenantId !== undefined && tenantId !== grant.tenantId)
      throw new CarcosaError('not_found');
    const place = await this.#parts.projects.placeOf(project);
    if (organizationId !== undefined && organizationId !== place.organizationId) throw new CarcosaError('not_found');
    return {
      ...{ ...wanted, organizationId: place.organizationId, projectId: project },
      tenantId: grant.tenantId ?? tenantId,
    };
  }

  /** "" for what belongs to no organization. */
  #organizationFor(actor: Actor, control: 'manage' | 'own', requested: string | undefined): OrganizationId | '' {
    if (requested === undefined) {
      if (actor.type === 'system' || (actor.type === 'user' && actor.isServerAdmin)) return '';
      throw new CarcosaError('invalid_request', { message: 'Say whose: organizationId or projectId.' });
    }
    if (!isId('organization', requested)) throw new CarcosaError('not_found');
    authorizeOrganization(actor, control, requested);
    return requested;
  }
}

/** Entries of folders further up speak of what the key may not know. */
function confinedToFolder(pathPrefix: string): CarcosaError {
  return new CarcosaError('forbidden', {
    message: 'This key is confined to a folder, and the audit log is of all of the project.',
    details: { permission: 'audit-logs:read', pathPrefix },
  });
}

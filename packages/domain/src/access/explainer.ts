import { type ExplainBody, type Explanation, LIMIT_TIERS, type LimitTier, type Permission } from '@carcosa/contracts';
import { findApiKeyById, findMemberships, type Queryable } from '@carcosa/database';
import { CarcosaError, type Clock, isId, type ProjectId, type SessionId, type TenantId } from '@carcosa/kernel';
import type { RateLimiter } from '../limits/rate-limiter.ts';
import type { ProjectFactsCache } from '../projects/project-facts.ts';
import type { Quotas } from '../quotas/quotas.ts';
import type { TenantFactsCache } from '../tenants/tenant-facts.ts';
import { type Access, projectOf } from './access.ts';
import { type Actor, actorId } from './actor.ts';
import { covers, type Grant } from './grant.ts';

export interface ExplainerParts {
  db: Queryable;
  clock: Clock;
  access: Access;
  projects: ProjectFactsCache;
  tenants: TenantFactsCache;
  limiter: RateLimiter;
  quotas: Quotas;
}

interface Subject {
  actor: Actor | null;
  /** Why there is no actor, or what it is. */
  reason: string;
}

/** Says why somebody may do something in a project, or why not, by the very decisions that every door makes. */
export class Explainer {
  readonly #parts: ExplainerParts;

  constructor(parts: ExplainerParts) {
    this.#parts = parts;
  }

  /**
   * Everybody may ask about themselves; about others, whoever may everything in the project.
   * @throws CarcosaError `not_found` for a project, key or user that the asker may not know of, `forbidden`
   */
  async explain(asker: Actor, question: ExplainBody): Promise<Explanation> {
    const projectId = projectOf(asker, question.projectId);
    if (question.actor) await this.#parts.access.authorizeWhole(asker, 'admin', projectId);
    const { actor, reason } = question.actor
      ? await this.#subject(question.actor, projectId)
      : { actor: asker, reason: `you are the ${asker.type} ${actorId(asker)}` };
    if (!actor) return refusal('unauthenticated', [reason]);
    const decision = await this.#parts.access.decide(actor, question.permission, projectId);
    if (actor === asker && !decision.allowed && decision.error === 'not_found') throw new CarcosaError('not_found');
    const reasons = [reason, decision.reason];
    const limit = await this.#limit(actor, question);
    if (!decision.allowed) return { ...refusal(decision.error, reasons), limit };
    const { grant } = decision;
    const place = await this.#place(grant, question);
    if (place.error) return { ...refusal(place.error, [...reasons, place.reason]), grant, limit };
    const { bucket, quotas } = place;
    return { allowed: true, error: null, reasons: [...reasons, place.reason], grant, bucket, limit, quotas };
  }

  async #subject({ type, id }: NonNullable<ExplainBody['actor']>, projectId: ProjectId): Promise<Subject> {
    if (type === 'user') return await this.#user(id);
    const key = isId('apiKey', id) ? await findApiKeyById(this.#parts.db, id) : null;
    if (key?.projectId !== projectId) throw new CarcosaError('not_found');
    const { permissions, restrictions, limitFactor, revokedAt, expiresAt } = key;
    if (revokedAt) return { actor: null, reason: `the key was revoked at ${revokedAt.toISOString()}` };
    if (expiresAt && expiresAt.getTime() <= this.#parts.clock.now())
      return { actor: null, reason: `the key expired at ${expiresAt.toISOString()}` };
    const actor: Actor = { type, id: key.id, projectId, permissions: new Set(permissions), restrictions, limitFactor };
    const confined = [
      ...(restrictions.ipRanges ? [`addresses in ${restrictions.ipRanges.join(', ')}`] : []),
      ...(restrictions.origins ? [`pages of ${restrictions.origins.join(', ')}`] : []),
    ];
    return { actor, reason: `the key is in force${confined.length > 0 ? `, for ${confined.join(' and ')}` : ''}` };
  }

  async #user(id: string): Promise<Subject> {
    const found = isId('user', id) ? await findMemberships(this.#parts.db, id) : null;
    if (!found || !isId('user', id)) throw new CarcosaError('not_found');
    const organizations = new Map(found.organizations);
    const actor = { type: 'user' as const, id, sessionId: '' as SessionId, isServerAdmin: false };
    return { actor: { ...actor, organizations, teams: new Map(found.teams) }, reason: 'the user exists' };
  }

  /** Whether the grant covers the file in question, and where a new one would go. */
  async #place(grant: Grant, { path, tenantId: asked }: ExplainBody) {
    const tenantId = asked ?? grant.tenantId ?? '';
    const file = { tenantId, path: path ?? (grant.pathPrefix === '' ? 'file' : `${grant.pathPrefix}/file`) };
    const tenant = isId('tenant', tenantId) ? await this.#parts.tenants.facts(tenantId as TenantId) : null;
    if (tenantId !== '' && tenant?.projectId !== grant.projectId)
      return { error: 'not_found', reason: 'the project has no such tenant', bucket: null, quotas: [] };
    if (!covers(grant, file))
      return { error: 'not_found', reason: `it is confined to ${described(grant)}`, bucket: null, quotas: [] };
    const project = await this.#parts.projects.facts(grant.projectId);
    const bucket = tenant?.bucketId
      ? { id: tenant.bucketId, reason: 'the bucket of the tenant' }
      : { id: project.bucketId, reason: 'the bucket of the project' };
    const inForce = await this.#parts.quotas.inForce(this.#parts.db, grant.projectId, tenant?.id ?? '');
    // Who is confined to a tenant learns nothing of what others use.
    const quotas = grant.tenantId === null ? inForce : inForce.filter(({ scopeId }) => scopeId === grant.tenantId);
    return { error: null, reason: `its part of the project is ${described(grant)}`, bucket, quotas };
  }

  async #limit(actor: Actor, { permission, tier = tierOf(permission) }: ExplainBody): Promise<Explanation['limit']> {
    const { limiter } = this.#parts;
    const { limit, reason } = await limiter.limitFor(actor, tier);
    const { used } = await limiter.peek(tier, actorId(actor), limit ?? Number.MAX_SAFE_INTEGER);
    return { tier, limit, used, windowSeconds: LIMIT_TIERS[tier].windowSeconds, reason };
  }
}

function tierOf(permission: Permission): LimitTier {
  if (permission === 'admin') return 'admin';
  if (permission === 'files:write') return 'write';
  if (permission.endsWith(':read')) return 'read';
  return permission.endsWith(':delete') ? 'delete' : 'standard';
}

function described({ tenantId, pathPrefix }: Grant): string {
  const parts = [
    ...(tenantId === null ? [] : [`the files of the tenant ${tenantId}`]),
    ...(pathPrefix === '' ? [] : [`what is below the folder "${pathPrefix}"`]),
  ];
  return parts.length === 0 ? 'all of it' : parts.join(', ');
}

function refusal(error: string, reasons: string[]): Explanation {
  return { allowed: false, error, reasons, grant: null, bucket: null, limit: null, quotas: [] };
}

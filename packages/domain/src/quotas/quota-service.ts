import {
  MONTHLY_METRICS,
  type Plan,
  type PutOrganizationQuotasBody,
  type PutPlanBody,
  QUOTA_METRICS,
  type QuotaMetric,
  type QuotaReport,
  type Quotas,
} from '@carcosa/contracts';
import {
  announceQuotas,
  countStored,
  deletePlan,
  findCounters,
  findOrganizationsOnPlan,
  findPlan,
  findScopeQuotas,
  holdWhatIsCounted,
  keepCounters,
  listPlans,
  putPlan,
  type Queryable,
  type QuotaScope,
  type ScopeQuotas,
  STORED_METRICS,
  setScopeQuotas,
  warnOfQuotas,
} from '@carcosa/database';
import { CarcosaError, type Clock, isId, type ProjectId } from '@carcosa/kernel';
import { type Access, authorizeOrganization } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { AuditEvent } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { assertServerAdministrator, isServerAdministrator } from '../limits/server-administrator.ts';
import { monthOf } from './month.ts';

export interface QuotaServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  access: Access;
  clock: Clock;
  /** Told that quotas were changed here, before that is answered. */
  onChange: () => void;
}

/**
 * Reads and sets quotas. The level above sets them: administrators of the server those of organizations and the plans, owners and admins
 * of an organization those of its projects, who may manage tenants theirs. Every method throws `not_found` for what the actor may not
 * know of.
 */
export class QuotaService {
  readonly #parts: QuotaServiceParts;

  constructor(parts: QuotaServiceParts) {
    this.#parts = parts;
  }

  async plans(actor: Actor): Promise<Plan[]> {
    assertServerAdministrator(actor);
    return await listPlans(this.#parts.db);
  }

  /** Makes a plan, or changes it for all organizations that have it. */
  async putPlan(actor: Actor, name: string, body: PutPlanBody): Promise<Plan> {
    assertServerAdministrator(actor);
    const plan = { name, ...body };
    await this.#change(async (tx) => {
      const before = await findPlan(tx, name);
      await putPlan(tx, plan, this.#parts.clock.now());
      await this.#recount(tx, await findOrganizationsOnPlan(tx, name));
      await this.#record(tx, actor, {
        action: before ? 'plan.update' : 'plan.create',
        resource: { type: 'plan', id: name },
        before: before ?? undefined,
        after: plan,
      });
    });
    return plan;
  }

  /** @throws CarcosaError `conflict` while organizations have it */
  async deletePlan(actor: Actor, name: string): Promise<void> {
    assertServerAdministrator(actor);
    await this.#change(async (tx) => {
      const before = await findPlan(tx, name);
      if (!before) throw new CarcosaError('not_found');
      const organizations = await findOrganizationsOnPlan(tx, name);
      if (organizations.length > 0)
        throw new CarcosaError('conflict', { message: 'Organizations have this plan.', details: { organizations } });
      await deletePlan(tx, name);
      await this.#record(tx, actor, { action: 'plan.delete', resource: { type: 'plan', id: name }, before });
    });
  }

  async organization(actor: Actor, id: string): Promise<QuotaReport> {
    const scope = organizationScope(id);
    if (!isServerAdministrator(actor)) authorizeOrganization(actor, 'read', scope.id);
    return await this.#report(scope);
  }

  async setOrganization(actor: Actor, id: string, body: PutOrganizationQuotasBody): Promise<QuotaReport> {
    const scope = organizationScope(id);
    if (!isServerAdministrator(actor)) {
      authorizeOrganization(actor, 'read', scope.id);
      assertServerAdministrator(actor);
    }
    return await this.#set(actor, scope, body);
  }

  async project(actor: Actor, id: string): Promise<QuotaReport> {
    const scope = projectScope(id);
    await this.#mayRead(actor, scope.id, null);
    return await this.#report(scope);
  }

  async setProject(actor: Actor, id: string, quotas: Quotas): Promise<QuotaReport> {
    const scope = projectScope(id);
    // Those of a project that one may not even see are not there.
    await this.#parts.access.authorizeWhole(actor, 'projects:write', scope.id);
    const { organizationId } = await this.#find(this.#parts.db, scope);
    // Whoever runs the server may do it with the key that its first start made, for that key's own project.
    if (actor.type === 'user') authorizeOrganization(actor, 'manage', organizationId);
    else assertServerAdministrator(actor);
    return await this.#set(actor, scope, { quotas });
  }

  async tenant(actor: Actor, id: string): Promise<QuotaReport> {
    const scope = tenantScope(id);
    const { projectId } = await this.#find(this.#parts.db, scope);
    await this.#mayRead(actor, projectId as ProjectId, id);
    return await this.#report(scope);
  }

  async setTenant(actor: Actor, id: string, quotas: Quotas): Promise<QuotaReport> {
    const scope = tenantScope(id);
    const { projectId } = await this.#find(this.#parts.db, scope);
    await this.#parts.access.authorizeWhole(actor, 'tenants:manage', projectId as ProjectId);
    return await this.#set(actor, scope, { quotas });
  }

  /** Who is confined to a tenant sees that one's alone. */
  async #mayRead(actor: Actor, projectId: ProjectId, tenantId: string | null): Promise<void> {
    const grant = await this.#parts.access.authorize(actor, 'usage:read', projectId);
    if (grant.tenantId !== null && grant.tenantId !== tenantId) throw new CarcosaError('not_found');
  }

  async #set(
    actor: Actor,
    scope: QuotaScope,
    change: { quotas?: Quotas | undefined; plan?: string | null | undefined },
  ): Promise<QuotaReport> {
    const { kind, id } = scope;
    await this.#change(async (tx) => {
      const before = await this.#find(tx, scope, { lock: true });
      const { quotas = before.quotas, plan = before.plan } = change;
      if (plan !== null && !(await findPlan(tx, plan)))
        throw new CarcosaError('invalid_request', { message: 'There is no plan of that name.' });
      await setScopeQuotas(tx, scope, { quotas, plan });
      await this.#keep(tx, scope);
      const { organizationId, projectId } = before;
      await this.#record(tx, actor, {
        action: plan === before.plan || kind !== 'organization' ? `${kind}.set-quotas` : 'organization.set-plan',
        resource: { type: kind, id },
        place: { organizationId, projectId, tenantId: kind === 'tenant' ? id : null },
        before: { quotas: before.quotas, plan: before.plan },
        after: { quotas, plan },
      });
    });
    return await this.#report(scope);
  }

  /** Changes quotas while nothing that they count can change. */
  async #change(work: (tx: Queryable) => Promise<void>): Promise<void> {
    await this.#parts.transaction(async (tx) => {
      await holdWhatIsCounted(tx);
      await work(tx);
    });
    this.#parts.onChange();
  }

  async #recount(tx: Queryable, organizations: Awaited<ReturnType<typeof findOrganizationsOnPlan>>): Promise<void> {
    for (const id of organizations) await this.#keep(tx, { kind: 'organization', id });
    await announceQuotas(tx, null);
  }

  /** Gives the scope the counters of what is limited now. */
  async #keep(tx: Queryable, scope: QuotaScope): Promise<void> {
    const { effective } = await this.#find(tx, scope);
    const limited = QUOTA_METRICS.filter((metric) => effective[metric] !== undefined && effective[metric] !== null);
    const month = monthOf(this.#parts.clock.now());
    await keepCounters(tx, scope, limited, month);
    await warnOfQuotas(tx, scope.id, month.period);
  }

  async #report(scope: QuotaScope): Promise<QuotaReport> {
    const { db, clock } = this.#parts;
    const { quotas, effective, plan } = await this.#find(db, scope);
    const month = monthOf(clock.now());
    const counters = await findCounters(db, [scope.id], month.period);
    const usage = QUOTA_METRICS.map((metric) => usageOf(metric, effective, month.period, counters));
    for (const each of usage) {
      const metric = STORED_METRICS.find((stored) => stored === each.metric);
      if (each.limit === null && metric) each.used = await countStored(db, scope, metric, month);
    }
    return { quotas, ...(scope.kind === 'organization' ? { plan } : {}), usage };
  }

  async #find(db: Queryable, scope: QuotaScope, options: { lock?: boolean } = {}): Promise<ScopeQuotas> {
    const found = await findScopeQuotas(db, scope, options);
    if (!found) throw new CarcosaError('not_found');
    return found;
  }

  #record(tx: Queryable, actor: Actor, event: AuditEvent): Promise<void> {
    return record(tx, this.#parts.clock, actor, event);
  }
}

function usageOf(
  metric: QuotaMetric,
  effective: Quotas,
  month: string,
  counters: Awaited<ReturnType<typeof findCounters>>,
): QuotaReport['usage'][number] {
  const isMonthly = MONTHLY_METRICS.has(metric);
  const limit = effective[metric] ?? null;
  const period = isMonthly ? month : null;
  if (limit === null) return { metric, limit, used: null, reserved: null, period };
  const counter = counters.find((each) => each.metric === metric && each.period === (period ?? ''));
  return { metric, limit, used: counter?.used ?? 0, reserved: counter?.reserved ?? 0, period };
}

function organizationScope(id: string): QuotaScope & { kind: 'organization' } {
  if (!isId('organization', id)) throw new CarcosaError('not_found');
  return { kind: 'organization', id };
}

function projectScope(id: string): QuotaScope & { kind: 'project' } {
  if (!isId('project', id)) throw new CarcosaError('not_found');
  return { kind: 'project', id };
}

function tenantScope(id: string): QuotaScope & { kind: 'tenant' } {
  if (!isId('tenant', id)) throw new CarcosaError('not_found');
  return { kind: 'tenant', id };
}

import { MONTHLY_METRICS, type QuotaMetric, type Quotas } from '@carcosa/contracts';
import type { OrganizationId, ProjectId, TenantId } from '@carcosa/kernel';
import { PROJECTS_CHANNEL } from '../projects.ts';
import type { Queryable } from '../queryable.ts';
import { TENANTS_CHANNEL } from '../tenants.ts';

export type QuotaScope =
  | { kind: 'organization'; id: OrganizationId }
  | { kind: 'project'; id: ProjectId }
  | { kind: 'tenant'; id: TenantId };

const TABLES = { organization: 'organizations', project: 'projects', tenant: 'tenants' } as const;

/** What is set for a project and, by itself or its plan, for its organization. */
export interface ProjectQuotas {
  organization: Quotas;
  project: Quotas;
}

export async function findProjectQuotas(db: Queryable, id: ProjectId): Promise<ProjectQuotas | null> {
  const { rows } = await db.query<ProjectQuotas>({
    name: 'find-project-quotas',
    text: `select p.quotas as project, coalesce(n.quotas, '{}') || o.quotas as organization
      from projects p join organizations o on o.id = p.organization_id left join plans n on n.name = o.plan where p.id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

export interface ScopeQuotas {
  /** Set there. */
  quotas: Quotas;
  /** With what the plan of an organization adds. */
  effective: Quotas;
  plan: string | null;
  organizationId: OrganizationId;
  projectId: ProjectId | null;
}

/** What is set for an organization, project or tenant; null when there is none. With `lock` until the transaction ends. */
export async function findScopeQuotas(
  db: Queryable,
  { kind, id }: QuotaScope,
  options: { lock?: boolean } = {},
): Promise<ScopeQuotas | null> {
  const { rows } = await db.query<ScopeQuotas>(`${FIND[kind]}${options.lock ? ' for update of s' : ''}`, [id]);
  return rows[0] ?? null;
}

const FIND = {
  organization: `select s.quotas, coalesce(n.quotas, '{}') || s.quotas as effective, s.plan, s.id as "organizationId",
    null as "projectId" from organizations s left join plans n on n.name = s.plan where s.id = $1`,
  project: `select s.quotas, s.quotas as effective, null as plan, s.organization_id as "organizationId", s.id as "projectId"
    from projects s where s.id = $1 and s.deleted_at is null`,
  tenant: `select s.quotas, s.quotas as effective, null as plan, p.organization_id as "organizationId", p.id as "projectId"
    from tenants s join projects p on p.id = s.project_id where s.id = $1 and p.deleted_at is null`,
} as const;

/** Replaces what is set, and tells every node. */
export async function setScopeQuotas(
  tx: Queryable,
  scope: QuotaScope,
  change: { quotas: Quotas; plan?: string | null },
): Promise<void> {
  const { kind, id } = scope;
  await tx.query(`update ${TABLES[kind]} set quotas = $2 where id = $1`, [id, JSON.stringify(change.quotas)]);
  if (kind === 'organization' && change.plan !== undefined)
    await tx.query('update organizations set plan = $2 where id = $1', [id, change.plan]);
  await announceQuotas(tx, scope);
}

/** The quotas of an organization are remembered with each of its projects: all are forgotten. */
export async function announceQuotas(tx: Queryable, scope: QuotaScope | null): Promise<void> {
  const channel = scope?.kind === 'tenant' ? TENANTS_CHANNEL : PROJECTS_CHANNEL;
  const payload =
    scope?.kind === 'tenant' ? { tenantId: scope.id } : scope?.kind === 'project' ? { projectId: scope.id } : {};
  await tx.query('select pg_notify($1, $2)', [channel, JSON.stringify(payload)]);
}

/** Keeps uploads and files from changing until the transaction ends, so that what is counted is all there is. */
export async function holdWhatIsCounted(tx: Queryable): Promise<void> {
  await tx.query('lock table uploads, files in share row exclusive mode');
}

const WHERE = {
  organization: 'f.project_id in (select id from projects where organization_id = $1)',
  project: 'f.project_id = $1',
  tenant: 'f.tenant_id = $1',
} as const;

/**
 * Gives a scope just the counters of those metrics: those that are there stay as they are, new ones are counted from what is stored
 * and reserved. Call it under {@link holdWhatIsCounted}.
 * @param month its name, as 2026-11, and when it began, in milliseconds since the epoch
 */
export async function keepCounters(
  tx: Queryable,
  { kind, id }: QuotaScope,
  metrics: readonly QuotaMetric[],
  month: { period: string; begunAt: number },
): Promise<void> {
  await tx.query('delete from quota_counters where scope_id = $1 and metric <> all($2)', [id, metrics]);
  const found = 'select distinct metric from quota_counters where scope_id = $1';
  const { rows } = await tx.query<{ metric: QuotaMetric }>(found, [id]);
  const kept = new Set(rows.map(({ metric }) => metric));
  for (const metric of metrics) {
    if (kept.has(metric)) continue;
    const period = MONTHLY_METRICS.has(metric) ? month.period : '';
    const used = await countUsed(tx, WHERE[kind], id, metric, month.begunAt);
    const entry = `${id}:${metric}:${period}`;
    await tx.query(
      `insert into quota_counters (scope_id, metric, period, used, reserved)
       select $1, $2, $3, $4, coalesce(sum(case when $2 = 'files' then 1 else size end), 0)
       from uploads where status = 'open' and quota_scopes @> array[$5]`,
      [id, metric, period, used, entry],
    );
  }
}

/** What a scope uses of a metric that follows from what is stored, counted now: it takes as long as there are files. */
export async function countStored(
  db: Queryable,
  { kind, id }: QuotaScope,
  metric: StoredMetric,
  month: { begunAt: number },
): Promise<number> {
  return await countUsed(db, WHERE[kind], id, metric, month.begunAt);
}

/** Metrics that follow from what is stored; the others are counted only where they are limited. */
export const STORED_METRICS = ['bytes', 'files', 'uploadBytes'] as const;
export type StoredMetric = (typeof STORED_METRICS)[number];

async function countUsed(
  tx: Queryable,
  where: string,
  id: string,
  metric: QuotaMetric,
  monthBegunAt: number,
): Promise<number> {
  const versions = `from file_versions v join files f on f.id = v.file_id join objects o on o.id = v.object_id where ${where}`;
  const count = async (text: string, values: unknown[] = []): Promise<number> => {
    const { rows } = await tx.query<{ n: number }>(text, [id, ...values]);
    return Number(rows[0]?.n ?? 0);
  };
  switch (metric) {
    case 'files':
      return await count(`select count(*) as n from files f where ${where}`);
    case 'bytes':
      return await count(`select sum(o.size) as n ${versions}`);
    case 'uploadBytes':
      return await count(
        `select sum(size) as n from (select distinct o.id, o.size ${versions} and o.created_at >= to_timestamp($2::float8 / 1000)) made`,
        [monthBegunAt],
      );
    default:
      return 0;
  }
}

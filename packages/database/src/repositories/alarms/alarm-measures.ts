import type { BucketId, OrganizationId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** What one process has seen since its sample before. */
export interface NodeSample {
  instance: string;
  at: Date;
  requests: number;
  /** Answers of the class 5xx among them. */
  failures: number;
  /** Percent of the disk; null where it could not be read. */
  diskFree: number | null;
}

/** Writes a sample down, and forgets those of before `keepFrom`. */
export async function saveNodeSample(db: Queryable, sample: NodeSample, keepFrom: Date): Promise<void> {
  await db.query(
    `with forgotten as (delete from node_samples where at < $6)
     insert into node_samples (instance, at, requests, failures, disk_free) values ($1, $2, $3, $4, $5) on conflict do nothing`,
    [sample.instance, sample.at, sample.requests, sample.failures, sample.diskFree, keepFrom],
  );
}

/** Requests of all nodes since then, and how many of them failed. */
export async function sumSamples(db: Queryable, from: Date): Promise<{ requests: number; failures: number }> {
  const { rows } = await db.query<{ requests: number; failures: number }>(
    `select coalesce(sum(requests), 0)::float8 as requests, coalesce(sum(failures), 0)::float8 as failures
     from node_samples where at > $1`,
    [from],
  );
  return rows[0] ?? { requests: 0, failures: 0 };
}

/** The free share of the disk of each node that has been heard of since then. */
export async function latestDisks(db: Queryable, from: Date): Promise<{ instance: string; diskFree: number }[]> {
  const { rows } = await db.query<{ instance: string; diskFree: number }>(
    `select distinct on (instance) instance, disk_free as "diskFree" from node_samples
     where at > $1 and disk_free is not null order by instance, at desc`,
    [from],
  );
  return rows;
}

/** A measure of an organization, for each thing that it has. */
export interface SubjectValue {
  id: string;
  label: string;
  value: number;
}

/** Webhooks whose last attempts failed, and those that were switched off for it. */
export async function failingWebhooks(
  db: Queryable,
  organizationId: OrganizationId,
): Promise<(SubjectValue & { isDisabled: boolean })[]> {
  const { rows } = await db.query<SubjectValue & { isDisabled: boolean }>(
    `select id, split_part(url, '?', 1) as label, consecutive_failures as value, disabled_reason is not null as "isDisabled" from webhooks
     where organization_id = $1 and (consecutive_failures > 0 and enabled or disabled_reason is not null) order by id limit 1000`,
    [organizationId],
  );
  return rows;
}

/** Quotas of which at least `percent` is used; what may not be used at all is left out. @param period the month, as 2026-11 */
export async function usedQuotas(
  db: Queryable,
  organizationId: OrganizationId,
  options: { percent: number; period: string },
): Promise<SubjectValue[]> {
  const { rows } = await db.query<SubjectValue>(
    `with scopes as (
       select o.id, 'organization' as kind, o.name, coalesce(n.quotas, '{}') || o.quotas as quotas
       from organizations o left join plans n on n.name = o.plan where o.id = $1
       union all select p.id, 'project', p.name, p.quotas from projects p
       where p.organization_id = $1 and p.deleted_at is null and p.quotas <> '{}'
       union all select t.id, 'tenant', t.name, t.quotas from tenants t join projects p on p.id = t.project_id
       where p.organization_id = $1 and p.deleted_at is null and t.quotas <> '{}'
     ), used as (
       select s.id, s.kind, s.name, c.metric, 100.0 * (c.used + c.reserved) / nullif((s.quotas->>c.metric)::numeric, 0) as percent
       from scopes s join quota_counters c on c.scope_id = s.id and c.period in ('', $3)
       where jsonb_typeof(s.quotas->c.metric) = 'number'
     )
     select id || ':' || metric as id, kind || ' ' || name || ', ' || metric as label, round(percent, 1)::float8 as value
     from used where percent >= $2 order by percent desc, 1 limit 1000`,
    [organizationId, options.percent, options.period],
  );
  return rows;
}

export async function bucketsOfOrganization(
  db: Queryable,
  organizationId: OrganizationId,
): Promise<{ id: BucketId; name: string }[]> {
  const { rows } = await db.query<{ id: BucketId; name: string }>(
    'select id, name from buckets where organization_id = $1 order by id limit 1000',
    [organizationId],
  );
  return rows;
}

import type { OrganizationId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

export interface BillingRow {
  customerId: string | null;
  since: string | null;
  reportedTo: string | null;
  pending: number;
  error: string | null;
}

/** How an organization is billed, and how far. */
export async function findBilling(db: Queryable, organizationId: OrganizationId): Promise<BillingRow> {
  const { rows } = await db.query<BillingRow>(
    `select c.customer_id as "customerId", to_char(c.since, 'YYYY-MM-DD') as since, to_char(r.reported, 'YYYY-MM-DD') as "reportedTo",
       r.pending, r.error
     from (
       select max(day) filter (where reported_at is not null) as reported, count(*) filter (where reported_at is null)::int as pending,
         (array_agg(error order by day desc) filter (where reported_at is null and error is not null))[1] as error
       from billing_reports where organization_id = $1
     ) r left join billing_customers c on c.organization_id = $1`,
    [organizationId],
  );
  return rows[0] ?? { customerId: null, since: null, reportedTo: null, pending: 0, error: null };
}

/** Says who pays; null: nobody. Reports that were not taken yet go to the new customer, or to nobody. */
export async function setBillingCustomer(
  tx: Queryable,
  organizationId: OrganizationId,
  { customerId, since }: { customerId: string | null; since: string },
): Promise<void> {
  if (customerId === null) {
    await tx.query('delete from billing_customers where organization_id = $1', [organizationId]);
    await tx.query('delete from billing_reports where organization_id = $1 and reported_at is null', [organizationId]);
    return;
  }
  // Another request than before: its key must be another one too.
  await tx.query(
    `update billing_reports set customer_id = $2, faults = faults + 1, error = null
     where organization_id = $1 and reported_at is null and customer_id <> $2`,
    [organizationId, customerId],
  );
  await tx.query(
    `insert into billing_customers (organization_id, customer_id, since) values ($1, $2, $3)
     on conflict (organization_id) do update set customer_id = excluded.customer_id`,
    [organizationId, customerId, since],
  );
}

/** A unit of a meter: whole ones are reported. */
export interface BilledMetric {
  metric: string;
  /** What the metric is, of the alias `u` of `usage_daily`. */
  column:
    | 'uploads'
    | 'downloads'
    | 'bytes_in'
    | 'bytes_out'
    | 'transforms'
    | 'transform_ms'
    | 'api_calls'
    | 'byte_hours';
  /** So many of it are one unit. */
  unit: number;
}

/**
 * Writes down what is to be reported: of each day of customers that is over, what was used beyond what the reports so far say. Call
 * it when the usage is folded.
 * @param days the first and the last one, as 2026-11-21
 */
export async function makeReports(
  db: Queryable,
  metrics: readonly BilledMetric[],
  days: { first: string; last: string; now: number },
): Promise<void> {
  const values = metrics
    .map(({ metric, column, unit }) => {
      const amount = column === 'byte_hours' ? `(u.opening_bytes * 86400 + u.byte_seconds) / 3600` : `u.${column}`;
      return `('${metric}', (${amount})::float8 / ${unit})`;
    })
    .join(', ');
  await db.query(
    `with used as (
       select u.organization_id, u.day, c.customer_id, m.metric, floor(sum(m.amount))::bigint as value
       from billing_customers c join usage_daily u on u.organization_id = c.organization_id and u.day >= c.since
       cross join lateral (values ${values}) m (metric, amount)
       where u.day between $1::date and $2::date group by 1, 2, 3, 4
     ), missing as (
       select n.*, n.value - coalesce(sum(r.value), 0)::bigint as rest, coalesce(max(r.sequence), 0) + 1 as sequence
       from used n left join billing_reports r
         on r.organization_id = n.organization_id and r.day = n.day and r.metric = n.metric
       group by n.organization_id, n.day, n.customer_id, n.metric, n.value
     )
     insert into billing_reports (organization_id, metric, day, sequence, customer_id, value, created_at)
     select organization_id, metric, day, sequence, customer_id, rest, to_timestamp($3::float8 / 1000) from missing where rest > 0
     on conflict do nothing`,
    [days.first, days.last, days.now],
  );
}

export interface ReportRow {
  organizationId: string;
  metric: string;
  day: string;
  sequence: number;
  customerId: string;
  value: number;
  faults: number;
}

const KEY = 'organization_id = $1 and day = $2 and metric = $3 and sequence = $4';
const keyOf = ({ organizationId, day, metric, sequence }: ReportRow) => [organizationId, day, metric, sequence];

/** At most `limit` reports that the provider has not taken, the oldest first, from after `after` on. */
export async function findDueReports(db: Queryable, after: ReportRow | undefined, limit: number): Promise<ReportRow[]> {
  const { rows } = await db.query<ReportRow>(
    `select organization_id as "organizationId", metric, to_char(day, 'YYYY-MM-DD') as day, sequence, customer_id as "customerId", value, faults
     from billing_reports where reported_at is null
       and ($1::date is null or (day, organization_id, metric, sequence) > ($1, $2, $3, $4))
     order by day, organization_id, metric, sequence limit $5`,
    [after?.day ?? null, after?.organizationId ?? '', after?.metric ?? '', after?.sequence ?? 0, limit],
  );
  return rows;
}

export async function markReported(db: Queryable, report: ReportRow, now: number): Promise<void> {
  await db.query(
    `update billing_reports set reported_at = to_timestamp($5::float8 / 1000), error = null where ${KEY}`,
    [...keyOf(report), now],
  );
}

/** Keeps what the provider said, and that it had a fault of its own. */
export async function markRefused(
  db: Queryable,
  report: ReportRow,
  { error, isFault }: { error: string; isFault: boolean },
): Promise<void> {
  await db.query(`update billing_reports set error = $5, faults = faults + $6 where ${KEY}`, [
    ...keyOf(report),
    error.slice(0, 500),
    isFault ? 1 : 0,
  ]);
}

import type { Plan } from '@carcosa/contracts';
import type { OrganizationId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

const COLUMNS = `name, quotas, audit_retention_days as "auditRetentionDays", event_retention_days as "eventRetentionDays"`;

export async function listPlans(db: Queryable): Promise<Plan[]> {
  const { rows } = await db.query<Plan>(`select ${COLUMNS} from plans order by name`);
  return rows;
}

export async function findPlan(db: Queryable, name: string): Promise<Plan | null> {
  const { rows } = await db.query<Plan>(`select ${COLUMNS} from plans where name = $1`, [name]);
  return rows[0] ?? null;
}

/** Makes the plan, or changes all of it. `now` in milliseconds since the epoch. */
export async function putPlan(tx: Queryable, plan: Plan, now: number): Promise<void> {
  await tx.query(
    `insert into plans (name, quotas, audit_retention_days, event_retention_days, created_at, updated_at)
     values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), to_timestamp($5::float8 / 1000))
     on conflict (name) do update set quotas = excluded.quotas, audit_retention_days = excluded.audit_retention_days,
       event_retention_days = excluded.event_retention_days,       updated_at = excluded.updated_at`,
    [plan.name, JSON.stringify(plan.quotas), plan.auditRetentionDays, plan.eventRetentionDays, now],
  );
}

export async function deletePlan(tx: Queryable, name: string): Promise<void> {
  await tx.query('delete from plans where name = $1', [name]);
}

/** Those that have the plan. */
export async function findOrganizationsOnPlan(db: Queryable, name: string): Promise<OrganizationId[]> {
  const { rows } = await db.query<{ id: OrganizationId }>('select id from organizations where plan = $1 order by id', [
    name,
  ]);
  return rows.map(({ id }) => id);
}

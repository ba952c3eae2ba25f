import type { Queryable } from '@carcosa/database';

/** Rows of history that stand in for years of a busy server: 100 organizations, the first of which has half of everything. */
export interface ManyRows {
  rows: number;
  /** Of the first one, in milliseconds since the epoch; one a second follows. */
  begun: number;
}

const ORGANIZATION = `case when i <= 3 then 'org_silent' when i % 2 = 0 then 'org_0' else 'org_' || i % 100 end`;
const PROJECT = `'prj_' || i % 1000`;

/** Fills `events` as if each had been written by itself. */
export async function fillEvents(db: Queryable, { rows, begun }: ManyRows): Promise<void> {
  await withoutIndexes(db, 'events', () =>
    db.query(
      `insert into events (id, type, organization_id, project_id, tenant_id, resource_id, path, data, created_at)
       select 'evt_' || lpad(i::text, 26, '0'), case i % 4 when 0 then 'file.replaced' when 1 then 'file.trashed' else 'file.created' end,
         ${ORGANIZATION}, ${PROJECT}, case when i % 5 = 0 then 'ten_' || i % 500 end, 'file_' || i / 3, 'folder/' || i,
         jsonb_build_object('id', 'file_' || i / 3, 'size', i, 'contentType', 'image/png'), to_timestamp($1::float8 / 1000) + i * interval '1 second'
       from generate_series(1, $2::int) i`,
      [begun, rows],
    ),
  );
}

/** Fills `audit_entries`, `audit_seals` and the ends of the chains. */
export async function fillAudit(db: Queryable, { rows, begun }: ManyRows): Promise<void> {
  await withoutIndexes(db, 'audit_entries', () =>
    db.query(
      `insert into audit_entries (at, organization_id, project_id, tenant_id, actor_type, actor_id, ip_address, request_id, action, resource_type, resource_id, after, result)
       select to_timestamp($1::float8 / 1000) + i * interval '1 second', ${ORGANIZATION}, ${PROJECT}, case when i % 5 = 0 then 'ten_' || i % 500 end,
         'api-key', 'key_' || i % 2000, '192.0.2.1', 'req_' || i, case when i % 1000 = 1 then 'project.update' else 'file.create' end, 'file',
         'file_' || i / 3, jsonb_build_object('size', i), case when i % 100 = 7 then 'forbidden' else 'success' end
       from generate_series(1, $2::int) i`,
      [begun, rows],
    ),
  );
  await withoutIndexes(db, 'audit_seals', () =>
    db.query(
      `insert into audit_seals (entry_id, organization_id, sequence, hash)
       select id, organization_id, row_number() over (partition by organization_id order by id), sha256(id::text::bytea) from audit_entries`,
    ),
  );
  await db.query(
    `insert into audit_chains (organization_id, sequence, hash, anchor_hash)
     select organization_id, max(sequence), sha256(''), decode(repeat('00', 32), 'hex') from audit_seals group by organization_id
     on conflict (organization_id) do nothing`,
  );
}

/** Fills the table while it has neither indexes nor triggers, and makes these anew: a row then costs a tenth. */
async function withoutIndexes(db: Queryable, table: string, fill: () => Promise<unknown>): Promise<void> {
  const { rows } = await db.query<{ name: string; definition: string; constraint: string | null; kind: string | null }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition, c.conname as constraint, c.contype as kind
     from pg_index i left join pg_constraint c on c.conindid = i.indexrelid where i.indrelid = $1::regclass`,
    [table],
  );
  await db.query(`alter table ${table} disable trigger user`);
  for (const { name, constraint } of rows)
    await db.query(constraint === null ? `drop index ${name}` : `alter table ${table} drop constraint ${constraint}`);
  await fill();
  for (const { name, definition, constraint, kind } of rows) {
    await db.query(definition);
    if (constraint !== null)
      await db.query(
        `alter table ${table} add constraint ${constraint} ${kind === 'p' ? 'primary key' : 'unique'} using index ${name}`,
      );
  }
  await db.query(`alter table ${table} enable trigger user`);
  await db.query(`vacuum (analyze) ${table}`);
}

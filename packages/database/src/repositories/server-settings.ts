import type { Queryable } from './queryable.ts';

/** What was saved under that name; undefined when nothing was. */
export async function findServerSetting(db: Queryable, name: string): Promise<unknown> {
  const { rows } = await db.query<{ value: unknown }>('select value from server_settings where name = $1', [name]);
  return rows[0]?.value;
}

/** As {@link findServerSetting}, and nobody else reads it so or changes it until the transaction ends. */
export async function lockServerSetting(tx: Queryable, name: string): Promise<unknown> {
  // A row that does not exist cannot be locked.
  await tx.query(
    `insert into server_settings (name, value, updated_at) values ($1, '{}', now()) on conflict (name) do nothing`,
    [name],
  );
  const { rows } = await tx.query<{ value: unknown }>('select value from server_settings where name = $1 for update', [
    name,
  ]);
  return rows[0]?.value;
}

export async function saveServerSetting(db: Queryable, name: string, value: unknown): Promise<void> {
  await db.query(
    `insert into server_settings (name, value, updated_at) values ($1, $2, now())
     on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at`,
    [name, JSON.stringify(value)],
  );
}

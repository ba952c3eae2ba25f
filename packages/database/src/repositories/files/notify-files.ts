/** Channel on which `{keys: […]}` is announced when files were changed: caches of any process forget them. */
export const FILES_CHANNEL = 'carcosa_files';

/** Keys in one notification: PostgreSQL allows 8,000 bytes, and a key has 24 characters. */
const KEYS_A_NOTIFICATION = 200;

/**
 * A query for a `with` that announces the keys of the rows of `changed` (another part of it) when the transaction commits. It
 * gives one row, always, and runs only where the statement reads it: join it with `on true`.
 */
export function notifyKeys(changed: string): string {
  return `select count(*) as announced from (
      select pg_notify('${FILES_CHANNEL}', json_build_object('keys', json_agg(numbered.key))::text)
      from (select key, (row_number() over () - 1) / ${KEYS_A_NOTIFICATION} as batch from ${changed}) numbered
      group by numbered.batch
    ) announcements`;
}

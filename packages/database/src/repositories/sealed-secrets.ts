import type { Queryable } from './queryable.ts';

/** A column of sealed secrets. */
export interface SealedColumn {
  /** What a secret there belongs to, as it was said when it was sealed. */
  readonly kind: string;
  readonly table: string;
  /** The column of the row's id, of type text. */
  readonly key: string;
  /** Of type bytea. */
  readonly column: string;
}

/** Every column of sealed secrets, so that a change of keys reaches all of them: one that is missing here keeps its old key. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  { kind: 'bucket', table: 'buckets', key: 'id', column: 'credentials' },
  { kind: 'webhook', table: 'webhooks', key: 'id', column: 'secret' },
  { kind: 'former webhook', table: 'webhooks', key: 'id', column: 'former_secret' },
  { kind: 'api key', table: 'api_keys', key: 'id', column: 'sealed_token' },
  { kind: 'alarm webhook', table: 'alarms', key: 'id', column: 'webhook_secret' },
  { kind: 'alarm chat', table: 'alarms', key: 'id', column: 'chat_url' },
];

/** Up to `limit` secrets that do not begin with `header`, in the order of ids, after `after`. */
export async function listSealedOtherwise(
  db: Queryable,
  { table, key, column }: SealedColumn,
  options: { header: Buffer; after: string; limit: number },
): Promise<{ id: string; sealed: Buffer }[]> {
  const { rows } = await db.query<{ id: string; sealed: Buffer }>(
    `select ${key} as id, ${column} as sealed from ${table}
     where ${column} is not null and substring(${column} from 1 for $1) <> $2 and ${key} > $3 order by ${key} limit $4`,
    [options.header.length, options.header, options.after, options.limit],
  );
  return rows;
}

/** Puts `resealed` in the place of exactly `sealed`: false where somebody has changed or removed it meanwhile. */
export async function replaceSealed(
  db: Queryable,
  { table, key, column }: SealedColumn,
  change: { id: string; sealed: Buffer; resealed: Buffer },
): Promise<boolean> {
  const { rowCount } = await db.query(`update ${table} set ${column} = $3 where ${key} = $1 and ${column} = $2`, [
    change.id,
    change.sealed,
    change.resealed,
  ]);
  return rowCount === 1;
}

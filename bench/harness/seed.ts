import pg from 'pg';
import { databaseConnection } from './carcosa.ts';

/**
 * Columns that differ from row to row; all others are copied from a file that was really uploaded, so that this follows the
 * schema by itself. Times are a millisecond apart, as the interface shows them, and end a minute before now.
 */
const VARIED: Readonly<Record<string, string>> = {
  id: `'file_' || lpad(n::text, 26, '0')`,
  key: 'md5(n::text)',
  path: `'bench/' || n / 1000 || '/' || n || '.bin'`,
  folder: `'bench/' || n / 1000`,
  name: `n || '.bin'`,
  size: '1000 + n',
  created_at: `date_trunc('minute', now()) - interval '1 minute' - n * interval '1 millisecond'`,
  updated_at: `date_trunc('minute', now()) - interval '1 minute' - n * interval '1 millisecond'`,
};

/** Multiplies the file `id` into `count` files with SQL: what a year of uploads would leave, in a minute. */
export async function seedFiles(dataDirectory: string, id: string, count: number): Promise<void> {
  const client = new pg.Client(databaseConnection(dataDirectory));
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select column_name as name from information_schema.columns
       where table_schema = current_schema() and table_name = 'files' and is_generated = 'NEVER'`,
    );
    const columns = rows.map(({ name }) => name);
    const values = columns.map((name) => VARIED[name] ?? `f."${name}"`);
    await client.query(
      `insert into files (${columns.map((name) => `"${name}"`).join(', ')})
       select ${values.join(', ')} from files f, generate_series(1, $2::int) n where f.id = $1`,
      [id, count],
    );
    await client.query('vacuum analyze files');
  } finally {
    await client.end();
  }
}

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@carcosa/kernel';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../../tests/support/database.ts';
import type { Database } from './drivers/open-database.ts';
import { migrate } from './migrate.ts';

const OURS = fileURLToPath(new URL('../migrations', import.meta.url));

describe.each(databaseKinds())('migrating %s', (kind) => {
  let database: Database;
  let directory: string;
  beforeEach(async () => {
    database = await createTestDatabase({ kind, isEmpty: true });
    directory = await mkdtemp(join(tmpdir(), 'carcosa-migrations-'));
    await cp(OURS, directory, { recursive: true });
  });
  afterEach(async () => {
    await database.close();
    await rm(directory, { recursive: true });
  });

  /** One more migration than the program has, a millisecond younger. */
  async function addMigration(sql: string): Promise<void> {
    const path = join(directory, 'meta/_journal.json');
    const journal = JSON.parse(await readFile(path, 'utf8'));
    const last = journal.entries.at(-1);
    journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag: 'one_more' });
    await writeFile(path, JSON.stringify(journal));
    await writeFile(join(directory, 'one_more.sql'), sql);
  }
  const applied = async () =>
    (await database.pool.query('select count(*) as n from drizzle.__drizzle_migrations')).rows[0]?.n;
  const tables = async () =>
    (await database.pool.query(`select to_regclass('files') as files, to_regclass('more') as more`)).rows[0];

  it('makes the tables, and asks one question when they are there', async () => {
    await migrate(database, { logger: silentLogger });
    expect(await tables()).toEqual({ files: 'files', more: null });
    const query = vi.spyOn(database.pool, 'query');
    await migrate(database, { logger: silentLogger });
    expect(query.mock.calls).toHaveLength(1);
    query.mockRestore();
  });

  it('takes place once when several nodes start at once', async () => {
    await addMigration('create table more (n int);--> statement-breakpoint\ninsert into more values (1)');
    await Promise.all(Array.from({ length: 6 }, () => migrate(database, { logger: silentLogger, directory })));
    expect((await database.pool.query('select n from more')).rows).toEqual([{ n: 1 }]);
  });

  it('adds what is missing', async () => {
    await migrate(database, { logger: silentLogger });
    await addMigration('create table more (n int)');
    await migrate(database, { logger: silentLogger, directory });
    expect(await tables()).toEqual({ files: 'files', more: 'more' });
  });

  it('refuses a database that a newer program has migrated, and changes nothing', async () => {
    await addMigration('create table more (n int)');
    await migrate(database, { logger: silentLogger, directory });
    const before = await applied();
    await expect(migrate(database, { logger: silentLogger })).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/^[^\n]*newer Carcosa[^\n]*$/),
    });
    expect(await applied()).toBe(before);
  });

  it('takes back all of it when one statement fails, and says which reason the server gave', async () => {
    await addMigration('create table more (n int);--> statement-breakpoint\nselect 1 / 0');
    await expect(migrate(database, { logger: silentLogger, directory })).rejects.toMatchObject({
      name: 'CarcosaError',
      message: 'Migrating the database failed, and nothing was changed: division by zero',
    });
    expect(await tables()).toEqual({ files: null, more: null });
    await migrate(database, { logger: silentLogger });
  });

  it('may take longer than a query', async () => {
    const impatient = await createTestDatabase({ kind, isEmpty: true, statementTimeout: 200 });
    await addMigration('select pg_sleep(0.5)');
    await migrate(impatient, { logger: silentLogger, directory });
    await impatient.close();
  });

  it('says what to grant to a user that may not create tables', async () => {
    await database.pool.query('revoke create on schema public from public, carcosa, pg_database_owner');
    await expect(migrate(database, { logger: silentLogger })).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/grant it CREATE/),
    });
  });
});

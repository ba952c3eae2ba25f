import { randomUUID } from 'node:crypto';
import { CarcosaError, silentLogger } from '@carcosa/kernel';
import { sql } from 'drizzle-orm';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../../tests/support/database.ts';
import type { Database } from './drivers/open-database.ts';
import { createPool } from './drivers/pool.ts';
import { isDatabaseError, isUniqueViolation, sqlStateOf, toDatabaseError } from './errors.ts';

/** What `work` rejects with. */
const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.fail('it did not reject'),
    (error: unknown) => error,
  );

describe.each(databaseKinds())('errors of %s', (kind) => {
  let database: Database;
  beforeAll(async () => {
    database = await createTestDatabase({ kind, isEmpty: true, statementTimeout: 1_000 });
    await database.pool.query('create table things (id int primary key, other int references things, word varchar(4))');
    await database.pool.query('insert into things values (1), (2)');
  });
  afterAll(() => database.close());

  it.each([
    ['a second row with one key', 'insert into things values (1)', 'conflict', false],
    ['a reference to nothing', 'insert into things values (3, 99)', 'conflict', false],
    ['text that is too long', `insert into things values (4, null, 'much too long')`, 'invalid_request', false],
    ['a number out of range', 'select 99999999999::int', 'invalid_request', false],
    ['a statement that takes too long', 'select pg_sleep(60)', 'request_timeout', true],
    ['a table that is not there', 'select * from nothing', 'internal_error', false],
    ['a division by zero', 'select 1 / 0', 'internal_error', false],
    ['a bigint that no number can hold', 'select 9007199254740993', 'internal_error', false],
    ['a loss of the connection', 'select pg_terminate_backend(pg_backend_pid())', 'database_unavailable', true],
  ])('%s', async (_, statement, code, retryable) => {
    const error = await errorOf(database.pool.query(statement));
    expect(toDatabaseError(error)).toMatchObject({ code, retryable, cause: error });
  });

  it('a NUL in text', async () => {
    const error = await errorOf(database.pool.query('select $1::text', ['a\0b']));
    expect(toDatabaseError(error).code).toBe('invalid_request');
  });

  it('a lock that somebody else holds', async () => {
    const holder = await database.pool.connect();
    await holder.query('begin; select * from things where id = 1 for update');
    const error = await errorOf(database.pool.query('select * from things where id = 1 for update nowait'));
    await holder.query('rollback');
    holder.release();
    expect(toDatabaseError(error)).toMatchObject({ code: 'conflict', retryable: true });
  });

  it('a server that can only be read', async () => {
    const error = await errorOf(database.pool.query('begin read only; insert into things values (5)'));
    expect(toDatabaseError(error)).toMatchObject({ code: 'database_unavailable', retryable: true });
  });

  it('too many connections, a wrong password and an unknown database', async () => {
    const name = new pg.Client({ connectionString: database.connectionString }).database ?? '';
    const connect = (change: (address: string) => string) => {
      const client = new pg.Client({ connectionString: change(database.connectionString) });
      return errorOf(client.connect().then(() => client.end()));
    };
    await database.pool.query(`alter database ${name} connection limit 0`);
    const errors = [
      await connect((address) => address),
      await connect((address) => address.replace(/:[^:@]+@/, ':wrong@')),
      await connect((address) => address.replace(`/${name}?`, `/${randomUUID()}?`)),
      await connect((address) => address.replace('port=5432', 'port=5433')),
    ];
    await database.pool.query(`alter database ${name} connection limit -1`);
    expect(errors.map((error) => toDatabaseError(error).code)).toEqual(Array(4).fill('database_unavailable'));
    expect(errors.map(sqlStateOf)).toEqual(['53300', '28P01', '3D000', undefined]);
  });

  it('is known through Drizzle, with its constraint', async () => {
    const error = await errorOf(database.db.execute(sql`insert into things values (2)`));
    expect(toDatabaseError(error).code).toBe('conflict');
    expect([
      isUniqueViolation(error),
      isUniqueViolation(error, 'things_pkey'),
      isUniqueViolation(error, 'other'),
    ]).toEqual([true, true, false]);
  });

  it('tells nothing of the statement to a client', async () => {
    const error = toDatabaseError(await errorOf(database.pool.query('select secret_of_ours from nothing')));
    expect(JSON.stringify([error.message, error.details])).not.toContain('secret_of_ours');
  });

  it('a pool without a free connection', async () => {
    const pool = createPool({ connectionString: database.connectionString, size: 1, logger: silentLogger });
    const client = await pool.connect();
    pool.options.connectionTimeoutMillis = 20;
    const error = await errorOf(pool.connect());
    client.release();
    await pool.end();
    expect(toDatabaseError(error)).toMatchObject({ code: 'overloaded', retryable: true });
    expect(toDatabaseError(await errorOf(pool.query('select 1'))).code).toBe('database_unavailable');
  });
});

describe('errors of the way to a server', () => {
  it.each([
    ['a port where nothing listens', 'postgres://a:b@127.0.0.1:1/c', 'ECONNREFUSED'],
    ['a socket that is not there', 'postgres://a:b@/c?host=/nowhere', 'ENOENT'],
    ['a name that does not exist', 'postgres://a:b@nobody.invalid/c', undefined],
  ])('%s', async (_, connectionString, code) => {
    const error = await errorOf(new pg.Client({ connectionString }).connect());
    if (code) expect(error).toMatchObject({ code });
    expect(toDatabaseError(error)).toMatchObject({ code: 'database_unavailable', retryable: true });
    expect(isDatabaseError(error)).toBe(true);
  });

  it('are not those of our own code', () => {
    const missingFile = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' });
    expect([new TypeError('x'), missingFile, new CarcosaError('conflict')].map(isDatabaseError)).toEqual([
      false,
      false,
      false,
    ]);
    expect(toDatabaseError(new TypeError('x')).code).toBe('internal_error');
    const ours = new CarcosaError('path_taken');
    expect(toDatabaseError(ours)).toBe(ours);
  });
});

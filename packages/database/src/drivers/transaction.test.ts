import type { PoolClient } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../../../tests/support/database.ts';
import type { Database } from './open-database.ts';
import { transaction } from './transaction.ts';

describe.each(databaseKinds())('a transaction on %s', (kind) => {
  let database: Database;
  beforeAll(async () => {
    database = await createTestDatabase({ kind, isEmpty: true });
    await database.pool.query('create table accounts (id int primary key, amount int not null)');
  });
  beforeEach(() => database.pool.query('truncate accounts; insert into accounts values (1, 0), (2, 0)'));
  afterAll(() => database.close());

  const amounts = async () => {
    const { rows } = await database.pool.query<{ amount: number }>('select amount from accounts order by id');
    return rows.map((row) => row.amount);
  };
  const add = (client: PoolClient, id: number) =>
    client.query('update accounts set amount = amount + 1 where id = $1', [id]);

  it('commits what resolves and returns its result', async () => {
    expect(await transaction(database.pool, async (client) => (await add(client, 1)).rowCount)).toBe(1);
    expect(await amounts()).toEqual([1, 0]);
  });

  it('undoes what rejects, and passes an error of our own through', async () => {
    const fault = new TypeError('ours');
    const failing = transaction(database.pool, async (client) => {
      await add(client, 1);
      throw fault;
    });
    await expect(failing).rejects.toBe(fault);
    expect(await amounts()).toEqual([0, 0]);
  });

  it('says what an error of the database means', async () => {
    const failing = transaction(database.pool, (client) => client.query('insert into accounts values (1, 5)'));
    await expect(failing).rejects.toMatchObject({ name: 'CarcosaError', code: 'conflict' });
  });

  it('runs again when the server undid it to resolve a deadlock', async () => {
    let [tries, holders] = [0, 0];
    const bothHoldOne = Promise.withResolvers<void>();
    const crossing = (first: number, second: number) =>
      transaction(database.pool, async (client) => {
        tries += 1;
        await add(client, first);
        holders += 1;
        if (holders === 2) bothHoldOne.resolve();
        await bothHoldOne.promise;
        await add(client, second);
      });
    await Promise.all([crossing(1, 2), crossing(2, 1)]);
    expect(await amounts()).toEqual([2, 2]);
    // Once more at least: the one that runs again may be quicker than the one that waits, and they cross once more.
    expect(tries).toBeGreaterThan(2);
  });

  it('runs again when it cannot be serialized, so that no increment is lost', async () => {
    const increment = () =>
      transaction(
        database.pool,
        async (client) => {
          const { rows } = await client.query<{ amount: number }>('select amount from accounts where id = 1');
          await client.query('update accounts set amount = $1 where id = 1', [(rows[0]?.amount ?? 0) + 1]);
        },
        { isolation: 'serializable', attempts: 50 },
      );
    await Promise.all(Array.from({ length: 5 }, increment));
    expect(await amounts()).toEqual([5, 0]);
  });

  it('gives up after as many attempts as it was allowed', async () => {
    let tries = 0;
    const failing = transaction(
      database.pool,
      async (client) => {
        tries += 1;
        await client.query(`do $$ begin raise exception 'again' using errcode = '40001'; end $$`);
      },
      { attempts: 3 },
    );
    await expect(failing).rejects.toMatchObject({ code: 'conflict', retryable: true });
    expect(tries).toBe(3);
  });

  it('keeps a connection that broke out of the pool, and is not run again', async () => {
    let tries = 0;
    const failing = transaction(database.pool, async (client) => {
      tries += 1;
      await add(client, 1);
      await client.query('select pg_terminate_backend(pg_backend_pid())');
    });
    await expect(failing).rejects.toMatchObject({ code: 'database_unavailable', retryable: true });
    expect(tries).toBe(1);
    expect(await amounts()).toEqual([0, 0]);
  });

  it('survives a connection that breaks while nobody waits for it', async () => {
    const failing = transaction(database.pool, async (client) => {
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      const broken = new Promise((resolve) => client.once('end', resolve));
      await database.pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      await broken;
      await add(client, 1);
    });
    await expect(failing).rejects.toMatchObject({ code: 'database_unavailable' });
  });
});

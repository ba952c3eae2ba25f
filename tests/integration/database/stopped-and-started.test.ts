import { setTimeout as delay } from 'node:timers/promises';
import { Listener, openDatabase, toDatabaseError, transaction } from '@carcosa/database';
import { silentLogger } from '@carcosa/kernel';
import { expect, it, onTestFinished, vi } from 'vitest';
import { serverDirectory, serverPid, startServer } from './servers.ts';

it('a database that is stopped and started again is used again: by the pool, by Drizzle, by transactions, by listeners', async () => {
  const directory = await serverDirectory();
  const server = await startServer(directory);
  const database = await openDatabase({ url: server.connectionString, directory: '/nowhere', logger: silentLogger });
  onTestFinished(() => database.close());
  const listener = new Listener({ connectionString: server.connectionString, logger: silentLogger });
  onTestFinished(() => listener.close());
  const subscriber = { notified: vi.fn(), missed: vi.fn() };
  await listener.subscribe('c', subscriber);
  await database.pool.query('create table kept (n int)');

  const busy = database.pool.query('select pg_sleep(60)').catch(toDatabaseError);
  const inTransaction = transaction(database.pool, async (client) => {
    await client.query('insert into kept values (1)');
    await server.stop();
    await client.query('insert into kept values (2)');
  }).catch((error: unknown) => error);
  expect(await busy).toMatchObject({ code: 'database_unavailable', retryable: true });
  expect(await inTransaction).toMatchObject({ code: 'database_unavailable', retryable: true });
  // Idle connections have broken as well; each further query says what is wrong at once, and nothing crashes.
  const errors = await Promise.all(
    Array.from({ length: 20 }, () => database.pool.query('select 1').catch(toDatabaseError)),
  );
  expect(new Set(errors.map((error) => 'code' in error && error.code))).toEqual(new Set(['database_unavailable']));

  await startServer(directory);
  const { rows } = await database.pool.query('select count(*) as n from kept');
  expect(rows).toEqual([{ n: 0 }]);
  expect((await database.db.execute('select 1 as n')).rows).toEqual([{ n: 1 }]);
  await vi.waitFor(() => expect(subscriber.missed).toHaveBeenCalled(), { timeout: 10_000 });
  await database.pool.query(`select pg_notify('c', '"back"')`);
  await vi.waitFor(() => expect(subscriber.notified.mock.calls).toEqual([['back']]));
});

it('a server that stands still is given up after the time of a statement, and used again when it goes on', async () => {
  const directory = await serverDirectory();
  const server = await startServer(directory);
  const database = await openDatabase({
    url: server.connectionString,
    directory: '/nowhere',
    statementTimeout: 100,
    logger: silentLogger,
  });
  onTestFinished(() => database.close());
  const { rows } = await database.pool.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pids = [await serverPid(directory), rows[0]?.pid as number];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  const error = await Promise.race([database.pool.query('select 1').catch(toDatabaseError), delay(15_000, 'nothing')]);
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  expect(error).toMatchObject({ code: 'database_unavailable' });
  await vi.waitFor(async () => expect((await database.pool.query('select 1 as n')).rows).toEqual([{ n: 1 }]));
});

it('an embedded database opens, and closes with its server', async () => {
  const directory = await serverDirectory();
  const database = await openDatabase({ directory, logger: silentLogger });
  expect(database.kind).toBe('embedded');
  const pid = await serverPid(directory);
  const running = database.pool.query('select pg_sleep(0.2), 1 as n');
  await Promise.all([database.close(), database.close()]);
  expect((await running).rows).toMatchObject([{ n: 1 }]);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

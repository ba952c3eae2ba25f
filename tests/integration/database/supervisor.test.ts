import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { queryOnce, serverDirectory, serverPid, startServer } from './servers.ts';

const permissions = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

const socketDirectory = (address: string) => new URL(address.replace('@/', '@host/')).searchParams.get('host') ?? '';

describe('a server of ours', () => {
  it('starts on an absent directory, stops, and starts on what it left', async () => {
    const directory = await serverDirectory({ hasCluster: false });
    const first = await startServer(directory);
    await queryOnce(first.connectionString, 'create table kept as select 1 as n');
    await first.stop();
    const second = await startServer(directory);
    expect(second.connectionString).toBe(first.connectionString);
    expect(await queryOnce(second.connectionString, 'select n from kept')).toEqual([{ n: 1 }]);
  });

  it('is durable, checks its pages and listens to no network', async () => {
    const server = await startServer(await serverDirectory());
    const settings = `select name, setting from pg_settings where name in
      ('fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'listen_addresses', 'jit', 'server_encoding') order by 1`;
    expect((await queryOnce(server.connectionString, settings)).map((row) => `${row.name}=${row.setting}`)).toEqual([
      'data_checksums=on',
      'fsync=on',
      'full_page_writes=on',
      'jit=off',
      'listen_addresses=',
      'server_encoding=UTF8',
      'synchronous_commit=on',
    ]);
  });

  it('lets in nobody without the password, which only its owner can read', async () => {
    const directory = await serverDirectory();
    const server = await startServer(directory);
    for (const user of ['carcosa', 'postgres']) {
      const address = server.connectionString.replace(/\/\/.*@/, `//${user}:guessed@`);
      await expect(queryOnce(address, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    }
    expect(
      await Promise.all(
        ['password', 'data', 'run', 'postgresql.log'].map((name) => permissions(join(directory, name))),
      ),
    ).toEqual(['600', '700', '700', '600']);
    expect(server.connectionString).toContain((await readFile(join(directory, 'password'), 'utf8')).trim());
  });

  it('gives the application a role that reaches no file of the system', async () => {
    const server = await startServer(await serverDirectory());
    await expect(queryOnce(server.connectionString, `copy (select 1) to program 'true'`)).rejects.toMatchObject({
      code: '42501',
    });
    expect(await queryOnce(server.superuserConnectionString, 'select current_user as name')).toEqual([
      { name: 'postgres' },
    ]);
    // Extensions that PostgreSQL trusts are there for it all the same.
    await queryOnce(server.connectionString, 'create extension pg_trgm');
  });

  it('sets a new password when the file is lost', async () => {
    const directory = await serverDirectory();
    const first = await startServer(directory);
    await first.stop();
    await rm(join(directory, 'password'));
    const second = await startServer(directory);
    expect(second.connectionString).not.toBe(first.connectionString);
    expect(await queryOnce(second.connectionString, 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  it.each(['with blanks, commas and "quotes"', 'größe-名前', 'per%20cent+plus'])(
    'works in a directory named %s',
    async (name) => {
      const directory = await serverDirectory({ name });
      const server = await startServer(directory);
      expect(await queryOnce(server.connectionString, 'select 1 as n')).toEqual([{ n: 1 }]);
      expect(await readdir(join(directory, 'run'))).toContain('.s.PGSQL.5432');
    },
  );

  it('keeps its socket in the temporary directory where a path grows too long for one', async () => {
    const server = await startServer(await serverDirectory({ name: 'x'.repeat(100) }));
    expect(await queryOnce(server.connectionString, 'select 1 as n')).toEqual([{ n: 1 }]);
    const sockets = socketDirectory(server.connectionString);
    expect(dirname(sockets)).toBe(tmpdir());
    expect(await permissions(sockets)).toBe('700');
    await server.stop();
    await expect(stat(sockets)).rejects.toThrow('ENOENT');
  });

  it('makes a cluster whole or not at all: what an interrupted start left is replaced', async () => {
    const directory = await serverDirectory({ hasCluster: false });
    await mkdir(join(directory, 'data.unfinished-1', 'base'), { recursive: true });
    await startServer(directory);
    expect((await readdir(directory)).filter((name) => name.startsWith('data'))).toEqual(['data']);
  });
});

describe('a directory that cannot be used is refused in one line', () => {
  it('that holds a cluster of another version', async () => {
    const directory = await serverDirectory({ hasCluster: false });
    await mkdir(join(directory, 'data'), { recursive: true });
    await writeFile(join(directory, 'data/PG_VERSION'), '17\n');
    await expect(startServer(directory)).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/^[^\n]*PostgreSQL 17, this Carcosa runs 18[^\n]*$/),
    });
  });

  it('whose data directory holds something else', async () => {
    const directory = await serverDirectory({ hasCluster: false });
    await mkdir(join(directory, 'data'), { recursive: true });
    await writeFile(join(directory, 'data/letter.txt'), 'dear reader');
    await expect(startServer(directory)).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/holds no PostgreSQL cluster/),
    });
    expect(await readdir(join(directory, 'data'))).toEqual(['letter.txt']);
  });

  it('that is beneath a file', async () => {
    const directory = await serverDirectory({ hasCluster: false });
    await writeFile(directory, '');
    await expect(startServer(directory)).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/CARCOSA_DATA_DIR/),
    });
  });

  it('that another server of this process uses', async () => {
    const directory = await serverDirectory();
    await startServer(directory);
    await expect(startServer(directory)).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(/in use by this process/),
    });
  });

  it('whose server does not start, with the reason that it gave', async () => {
    const directory = await serverDirectory();
    const starting = startServer(directory, { settings: { shared_buffers: 'plenty' } });
    await expect(starting).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(/^PostgreSQL did not start: [^\n]*shared_buffers[^\n]*postgresql.log\)\.$/),
    });
    // The directory is free again.
    await startServer(directory);
  });
});

describe('a server that ends', () => {
  it('is started again, with all that it acknowledged', async () => {
    const directory = await serverDirectory();
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const server = await startServer(directory, { logger });
    await queryOnce(server.connectionString, 'create table counted (n int)');
    const pid = await serverPid(directory);
    const acknowledged = await insertUntilBroken(server.connectionString, () => process.kill(pid, 'SIGKILL'));
    await vi.waitFor(async () => expect(logger.info).toHaveBeenCalledWith(expect.anything(), 'PostgreSQL runs again'), {
      timeout: 15_000,
    });
    const [row] = await queryOnce(server.connectionString, 'select count(*) as n, max(n) as last from counted');
    expect(row?.last).toBeGreaterThanOrEqual(acknowledged);
    expect(Number(row?.n)).toBe(row?.last);
    expect(logger.error).toHaveBeenCalledWith(expect.objectContaining({ pid, ending: 'SIGKILL' }), expect.any(String));
    expect(await serverPid(directory)).not.toBe(pid);
  });

  it('is started again where its socket is in the temporary directory', async () => {
    const directory = await serverDirectory({ name: 'x'.repeat(100) });
    const server = await startServer(directory);
    const pid = await serverPid(directory);
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => queryOnce(server.connectionString, 'select 1 as n'), { timeout: 15_000 });
    expect(await serverPid(directory)).not.toBe(pid);
  });

  it('is not started again by a supervisor that stops', async () => {
    const directory = await serverDirectory();
    const server = await startServer(directory);
    process.kill(await serverPid(directory), 'SIGKILL');
    await server.stop();
    await expect(queryOnce(server.connectionString, 'select 1')).rejects.toThrow();
    await startServer(directory);
  });
});

/** Inserts 1, 2, 3, … until the connection breaks; calls `breakIt` after 200. @returns the last that was acknowledged. */
async function insertUntilBroken(connectionString: string, breakIt: () => void): Promise<number> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => {});
  await client.connect();
  for (let n = 1; ; n++) {
    try {
      await client.query('insert into counted values ($1)', [n]);
    } catch {
      return n - 1;
    }
    if (n === 200) breakIt();
  }
}

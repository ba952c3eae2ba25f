import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, copyFile, link, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { isRunning, queryOnce, serverDirectory, serverPid, spawnHolder, startServer } from './servers.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

describe('a process that supervises a server', () => {
  it('is killed: the next one stops what was left, and has all of the data', async () => {
    const directory = await serverDirectory();
    const holder = spawnHolder(directory);
    const { url } = await holder.next();
    await queryOnce(url, 'create table kept as select generate_series(1, 1000) as n');
    const left = await serverPid(directory);
    holder.process.kill('SIGKILL');
    expect(await holder.ended).toBe('SIGKILL');
    expect(await isRunning(left)).toBe(true);

    const server = await startServer(directory);
    expect(await isRunning(left)).toBe(false);
    expect(await queryOnce(server.connectionString, 'select count(*)::int as n from kept')).toEqual([{ n: 1000 }]);
  });

  it('is killed: of a socket in the temporary directory nothing remains', async () => {
    const sockets = async () => (await readdir(tmpdir())).filter((name) => name.startsWith('carcosa-pg-'));
    const directory = await serverDirectory({ name: 'x'.repeat(100) });
    const holder = spawnHolder(directory);
    const { url } = await holder.next();
    holder.process.kill('SIGKILL');
    await holder.ended;
    expect((await sockets()).filter((name) => url.includes(name))).toHaveLength(1);
    await (await startServer(directory)).stop();
    expect((await sockets()).filter((name) => url.includes(name))).toHaveLength(0);
  });

  it('is killed with its server: the next one recovers', async () => {
    const directory = await serverDirectory();
    const holder = spawnHolder(directory);
    const { url } = await holder.next();
    await queryOnce(url, 'create table kept as select generate_series(1, 1000) as n');
    const pid = await serverPid(directory);
    holder.process.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    const server = await startServer(directory);
    expect(await isRunning(pid)).toBe(false);
    expect(await queryOnce(server.connectionString, 'select count(*)::int as n from kept')).toEqual([{ n: 1000 }]);
  });

  it.each([
    ['has just begun', (names: string[]) => names.some((name) => name.startsWith('claim-'))],
    ['makes the cluster', (names: string[]) => names.some((name) => name.startsWith('data.unfinished-'))],
    ['has made the cluster', (names: string[]) => names.includes('data')],
    ['starts the server', (names: string[]) => names.includes('postgresql.log')],
  ])('is killed when it %s: the next one starts', async (_, isThere) => {
    const directory = await serverDirectory({ hasCluster: false });
    const holder = spawnHolder(directory);
    await vi.waitFor(async () => expect(isThere(await readdir(directory))).toBe(true), {
      timeout: 30_000,
      interval: 1,
    });
    holder.process.kill('SIGKILL');
    await holder.ended;
    const server = await startServer(directory);
    expect(await queryOnce(server.connectionString, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect((await readdir(directory)).filter((name) => /^(data|claim)/.test(name))).toHaveLength(2);
  });

  it('keeps others out, and says who it is', async () => {
    const directory = await serverDirectory();
    const holder = spawnHolder(directory);
    const { url } = await holder.next();
    const { code, message } = await spawnHolder(directory).next();
    expect(code).toBe('database_unavailable');
    expect(message).toContain(`is in use by another Carcosa (process ${holder.process.pid})`);
    expect(message).toContain('CARCOSA_DATA_DIR');
    expect(await queryOnce(url, 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  it('is one, however many start at once', async () => {
    const directory = await serverDirectory({ hasCluster: false });
    const holders = Array.from({ length: 4 }, () => spawnHolder(directory));
    const answers = await Promise.all(holders.map((holder) => holder.next()));
    const urls = answers.flatMap((answer) => (answer.url ? [answer.url] : []));
    expect(urls).toHaveLength(1);
    expect(answers.filter((answer) => answer.code === 'database_unavailable')).toHaveLength(3);
    expect(await queryOnce(urls[0] ?? '', 'select 1 as n')).toEqual([{ n: 1 }]);
  });

  it('gets Ctrl-C from a terminal: its server answers until it stops it', async () => {
    const directory = await serverDirectory();
    const holder = spawnHolder(directory);
    const { url } = await holder.next();
    const pid = await serverPid(directory);
    process.kill(-(holder.process.pid as number), 'SIGINT');
    expect(await holder.next()).toBe('interrupted');
    expect(await queryOnce(url, 'select 1 as n')).toEqual([{ n: 1 }]);
    holder.process.stdin?.write('stop\n');
    expect(await holder.next()).toBe('stopped');
    expect(await holder.ended).toBe(0);
    expect(await isRunning(pid)).toBe(false);
  });

  it('ends by itself when it has nothing else to do, and its server with it', async () => {
    const directory = await serverDirectory();
    const holder = spawnHolder(directory, { mode: 'leave' });
    await holder.next();
    expect(await holder.ended).toBe(0);
    await vi.waitFor(async () => await expect(serverPid(directory)).rejects.toThrow('No server runs'), {
      timeout: 5_000,
    });
  });
});

describe('a number in postmaster.pid that is another process now', () => {
  it('is not touched, and does not keep the server from starting', async () => {
    const directory = await serverDirectory();
    await (await startServer(directory)).stop();
    const stranger = spawn('sleep', ['600']);
    onTestFinished(() => void stranger.kill());
    await once(stranger, 'spawn');
    await writeFile(
      join(directory, 'data/postmaster.pid'),
      `${stranger.pid}\n${directory}/data\n1\n5432\n${directory}/run\n\n1 1\nready   \n`,
    );
    const server = await startServer(directory);
    expect(await queryOnce(server.connectionString, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(await isRunning(stranger.pid as number)).toBe(true);
  });

  it('is not touched even when it is a PostgreSQL, on another directory', async () => {
    const [ours, theirs] = [await serverDirectory(), await serverDirectory()];
    await (await startServer(ours)).stop();
    const other = await startServer(theirs);
    await writeFile(
      join(ours, 'data/postmaster.pid'),
      `${await serverPid(theirs)}\n${ours}/data\n1\n5432\n${ours}/run\n\n1 1\nready   \n`,
    );
    await startServer(ours);
    expect(await queryOnce(other.connectionString, 'select 1 as n')).toEqual([{ n: 1 }]);
  });
});

describe.runIf(isRoot)('started by root', () => {
  const ownerOf = async (path: string) => (await stat(path)).uid;

  it('a server runs as nobody where nobody can enter', async () => {
    const directory = await serverDirectory();
    await startServer(directory);
    expect(await ownerOf(`/proc/${await serverPid(directory)}`)).toBe(NOBODY);
    expect(await ownerOf(join(directory, 'data/base'))).toBe(NOBODY);
  });

  it('a server runs in a user namespace beneath /root, and its files remain root’s', async () => {
    const directory = await serverDirectory({ parent: '/root' });
    const server = await startServer(directory);
    expect(await queryOnce(server.connectionString, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(await ownerOf(join(directory, 'data/base'))).toBe(0);
    const left = await serverPid(directory);
    expect(await isRunning(left)).toBe(true);
    await server.stop();
    expect(await isRunning(left)).toBe(false);
  });

  it('a server changes hands when its directory becomes reachable, and back', async () => {
    const directory = await serverDirectory();
    const counts: unknown[] = [];
    const owners: number[] = [];
    for (const mode of [0o711, 0o700, 0o711]) {
      await chmod(dirname(directory), mode);
      const server = await startServer(directory);
      await queryOnce(server.connectionString, 'create table if not exists kept (n int)');
      await queryOnce(server.connectionString, 'insert into kept values (1)');
      counts.push(...(await queryOnce(server.connectionString, 'select count(*)::int as n from kept')));
      owners.push(await ownerOf(join(directory, 'data/base')));
      await server.stop();
    }
    expect(counts).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(owners).toEqual([NOBODY, 0, NOBODY]);
  });

  it('a normal user starts a server of their own', async (context) => {
    const directory = await serverDirectory({ hasCluster: false });
    const home = await mkdtemp(join(tmpdir(), 'carcosa-node-'));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    await chown(dirname(directory), NOBODY, NOBODY);
    await chown(home, NOBODY, NOBODY);
    // Our Node may be beneath /root.
    const node = join(home, 'node');
    await link(process.execPath, node).catch(() => copyFile(process.execPath, node));
    const canReadSources = await new Promise((resolve) => {
      spawn('test', ['-r', import.meta.filename], { uid: NOBODY, gid: NOBODY, cwd: '/' }).once('exit', (code) =>
        resolve(code === 0),
      );
    });
    if (!canReadSources) context.skip('the checkout is not readable by other users');
    const holder = spawnHolder(directory, { node, uid: NOBODY });
    const { url } = await holder.next();
    expect(await queryOnce(url, 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(await ownerOf(join(directory, 'password'))).toBe(NOBODY);
    holder.process.stdin?.write('stop\n');
    expect(await holder.ended).toBe(0);
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { until } from './clock.ts';
import { findTool } from './tools.ts';

/** A Redis of its own, without persistence, on a port that stays the same while it is stopped and started. */
export interface TestRedis {
  readonly url: string;
  /** For questions of the test itself. */
  readonly client: Redis;
  /** Ends the process without a word to anybody. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Lets the process hang, or go on: connections stay open. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

export async function startRedis(): Promise<TestRedis> {
  const program = findTool('redis-server');
  if (program === null) throw new Error('redis-server is not installed');
  const directory = await mkdtemp(path.join(tmpdir(), 'carcosa-redis-'));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => 50 });
  client.on('error', () => {});
  const start = async (): Promise<void> => {
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory];
    child = spawn(program, options, { stdio: 'ignore' });
    if (client.status === 'wait') await client.connect().catch(() => {});
    await until(() => client.status === 'ready', { what: 'redis-server' });
  };
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await until(() => client.status !== 'ready', { what: 'the end of the connection' });
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    client,
    kill,
    start,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    close: async () => {
      client.disconnect();
      child?.kill('SIGCONT');
      await kill().catch(() => {});
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

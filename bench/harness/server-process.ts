import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuSeconds, processTree } from './processes.ts';

export type ServerOptions = {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
  /** Where its standard output and error go. */
  readonly logFile: string;
  /** Asked until it answers below 500; any answer will do for a peer that knows no such path. */
  readonly readyPath?: string;
  /** Processes that belong to it without being its children, such as a supervised database. */
  readonly companions?: () => readonly number[];
  /** Longest wait for readiness, ms. */
  readonly patience?: number;
};

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** A server under measurement: a process of its own, so that what it costs can be told from what the client costs. */
export class ServerProcess {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #companions: () => readonly number[];

  private constructor(options: ServerOptions, child: ChildProcess) {
    this.name = options.name;
    this.port = options.port;
    this.url = `http://127.0.0.1:${options.port}`;
    this.#child = child;
    this.#companions = options.companions ?? (() => []);
  }

  /** Starts it and resolves once it answers. Throws with the end of its log when it ends or stays silent. */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const log = openSync(options.logFile, 'w');
    const child = spawn(options.program, options.args, {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', log, log],
    });
    living.add(child);
    child.once('exit', () => living.delete(child));
    const server = new ServerProcess(options, child);
    const reason = await server.#untilReady(options.readyPath ?? '/', options.patience ?? 30_000);
    if (reason === null) return server;
    await server.stop();
    throw new Error(`${options.name} ${reason}\n${readFileSync(options.logFile, 'utf8').slice(-1500)}`);
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid as number;
  }

  /** The server itself, its children, and its companions with theirs. */
  get pids(): number[] {
    return [...processTree(this.pid), ...this.companions];
  }

  /** The companions with their children: for us, the embedded database wherever it stands in the process tree. */
  get companions(): number[] {
    return this.#companions().flatMap(processTree);
  }

  /** Processor time in seconds that it has used so far, with everything that belongs to it. */
  cpuSeconds(): number {
    return cpuSeconds([...new Set(this.pids)]);
  }

  /** SIGTERM, then SIGKILL after 15 s. Resolves with the exit code, null when it had to be killed. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(timer);
    return this.#child.exitCode;
  }

  async #untilReady(path: string, patience: number): Promise<string | null> {
    const deadline = performance.now() + patience;
    while (performance.now() < deadline) {
      if (this.#child.exitCode !== null || this.#child.pid === undefined) return 'ended before it was ready';
      const status = await probe(this.port, path);
      if (status !== null && status < 500) return null;
      await delay(5);
    }
    return `was not ready within ${patience} ms`;
  }
}

/** Status of one GET without keep-alive, null when nobody listens yet. */
function probe(port: number, path: string): Promise<number | null> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    call.once('error', () => resolve(null));
    call.end();
  });
}

/** A port of the loopback interface that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

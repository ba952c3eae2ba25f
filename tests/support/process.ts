import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { keepOutput } from './run-logs.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const BUILT = path.join(ROOT, 'apps/server/dist/main.js');
const SOURCE = path.join(ROOT, 'apps/server/src/main.ts');

/** How a process ended: a code, or the signal that ended it. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running Carcosa, before it is known whether it comes up. */
export interface ServerProcess {
  readonly pid: number;
  /** All that it has printed on standard output and standard error so far. */
  readonly logs: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exited: Promise<Exit>;
  readonly running: boolean;
  signal(name: NodeJS.Signals): void;
  /** Settles with the address of the ready line; rejects when the process ends first or `within` milliseconds pass. */
  ready(within: number): Promise<string>;
}

/** The built program where it is asked for or no older than its source, else the source; with the flags of `npm start`. */
export function serverCommand(): string[] {
  const flags = ['--disable-warning=ExperimentalWarning', ...startConfig().nodeFlags.split(' ')];
  if (process.env.CARCOSA_TEST_BUILT === '1' || builtIsFresh()) return [...flags, BUILT];
  return [...flags, '--conditions=source', SOURCE];
}

/** What the server's package says that Node should be started with. */
function startConfig(): { nodeFlags: string; environment: Record<string, string> } {
  const manifest = readFileSync(path.join(ROOT, 'apps/server/package.json'), 'utf8');
  return (JSON.parse(manifest) as { config: ReturnType<typeof startConfig> }).config;
}

/** Starts the server with nothing of this process's environment but what every program needs. */
export function spawnServer(env: Record<string, string | undefined>): ServerProcess {
  const { PATH, HOME, LANG, TMPDIR } = process.env;
  const child = spawn(process.execPath, serverCommand(), {
    cwd: ROOT,
    env: { PATH, HOME, LANG, TMPDIR, ...startConfig().environment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  keepOutput(child, env);
  return watch(child);
}

function watch(child: ChildProcess): ServerProcess {
  const output = { all: '', stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      output.all += text;
      for (const listener of listeners) listener();
    });
  }
  let ended: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      ended = { code, signal };
      resolve(ended);
      for (const listener of listeners) listener();
    });
  });
  const abandon = (): void => void child.kill('SIGKILL');
  process.once('exit', abandon);
  void exited.then(() => process.off('exit', abandon));

  const ready = (within: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        listeners.delete(look);
        settle();
      };
      const look = (): void => {
        const address = /Carcosa is ready at (https?:\/\/[\w.:[\]-]+)/.exec(output.stdout)?.[1];
        if (address) finish(() => resolve(address));
        else if (ended)
          finish(() => reject(new Error(`the server ended (${ended?.code}) before it was ready:\n${output.all}`)));
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no ready line within ${within} ms:\n${output.all}`))),
        within,
      );
      listeners.add(look);
      look();
    });

  return {
    pid: child.pid ?? -1,
    get logs() {
      return output.all;
    },
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    get running() {
      return ended === undefined;
    },
    exited,
    signal: (name) => void child.kill(name),
    ready,
  };
}

function builtIsFresh(): boolean {
  if (!existsSync(BUILT)) return false;
  const stamp = path.join(path.dirname(BUILT), '.tsbuildinfo');
  const built = statSync(existsSync(stamp) ? stamp : BUILT).mtimeMs;
  const packages = readdirSync(path.join(ROOT, 'packages')).map((name) => path.join(ROOT, 'packages', name, 'src'));
  return [...packages, path.join(ROOT, 'apps/server/src')].every((folder) => newest(folder) <= built);
}

function newest(folder: string): number {
  if (!existsSync(folder)) return 0;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  const sources = files.filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'));
  return Math.max(0, ...sources.map((entry) => statSync(path.join(entry.parentPath, entry.name)).mtimeMs));
}

/** The resident memory of a process in bytes, by the kernel's word; 0 when it has ended. */
export function residentBytes(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

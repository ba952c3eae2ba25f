import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const MAIN = path.join(ROOT, 'apps/cli/src/main.ts');

export interface Ended {
  code: number | null;
  out: string;
  error: string;
}

/** A run of the `carcosa` command, from its sources. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly out: string;
  readonly ended: Promise<Ended>;
}

export interface CommandOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** What it reads from standard input. */
  input?: string;
}

export function startCommand(args: readonly string[], { cwd, env, input }: CommandOptions = {}): RunningCommand {
  const flags = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, MAIN, ...args], {
    ...(cwd ? { cwd } : {}),
    env: { ...process.env, CARCOSA_URL: undefined, CARCOSA_API_KEY: undefined, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input ?? '');
  const said = { out: '', error: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.error += text;
  });
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, ...said })));
  return {
    child,
    ended,
    get out() {
      return said.out;
    },
  };
}

export const runCommand = (args: readonly string[], options?: CommandOptions): Promise<Ended> =>
  startCommand(args, options).ended;

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { which } from './commands.ts';

/** What a figure depends on and is kept with. */
export type Conditions = {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly fileSystem: string;
  readonly node: string;
  readonly commit: string;
  /** Load average over one minute when the claim began: neighbours that took part of the machine. */
  readonly loadBefore: number;
  readonly pinned: false;
  readonly versions: Readonly<Record<string, string>>;
};

const PACKAGES = ['@tus/server', '@tus/file-store', 'sirv', '@fastify/static', 'fastify', 'pg'];
const PROGRAMS: Readonly<Record<string, readonly string[]>> = { nginx: ['-v'], curl: ['--version'], wrk: ['-v'] };

export function readConditions(directory: string): Conditions {
  return {
    // The time of day comes from the performance clock's origin, the one clock that this package uses.
    date: new Date(performance.timeOrigin + performance.now()).toISOString(),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${process.platform} ${release()}`,
    fileSystem: output('df', ['--output=fstype', directory]).split('\n').at(-1) ?? 'unknown',
    node: process.version,
    commit: output('git', ['-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD']),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    pinned: false,
    versions: { ...packageVersions(), ...programVersions() },
  };
}

function packageVersions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  return Object.fromEntries(PACKAGES.map((name) => [name, packageVersion(require, name)]));
}

/** Reads the package's own description, which many do not export: hence the walk up from their entry point. */
function packageVersion(require: NodeJS.Require, name: string): string {
  for (const folder of require.resolve.paths(name) ?? []) {
    const file = join(folder, name, 'package.json');
    if (existsSync(file) && statSync(dirname(file)).isDirectory()) {
      return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    }
  }
  return 'not installed';
}

function programVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const [program, args] of Object.entries(PROGRAMS)) {
    const path = which(program);
    // nginx and wrk print their version on standard error, wrk with a failing exit code besides.
    const text = path ? output('sh', ['-c', `"$0" "$@" 2>&1 || true`, path, ...args]) : 'not installed';
    versions[program] = /\d+\.\d[\w.]*/.exec(text)?.[0] ?? text;
  }
  return versions;
}

function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return 'unknown';
  }
}

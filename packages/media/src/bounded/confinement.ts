import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ProcessLimits } from './process-limits.ts';

const run = promisify(execFile);

/** What this machine has to shut a program in. Debian has all of it in util-linux, which every system has. */
interface Means {
  /** `unshare` with the arguments that work here: as root a name space of the network, otherwise one of users around it. */
  readonly unshare: readonly string[] | null;
  readonly prlimit: boolean;
  readonly setpriv: boolean;
  readonly nice: boolean;
}

let known: Promise<Means> | undefined;

/**
 * The command that runs `command` within its limits: without a network (where the system can), at a low priority, and ended by the
 * system when we are.
 */
export async function confined(
  command: readonly string[],
  { limits, network }: { limits: ProcessLimits; network: boolean },
): Promise<string[]> {
  known ??= findMeans();
  const { unshare, prlimit, setpriv, nice } = await known;
  const { memoryBytes, cpuSeconds, outputBytes } = limits;
  return [
    ...(network || !unshare ? [] : unshare),
    ...(prlimit
      ? [
          'prlimit',
          `--as=${memoryBytes}`,
          `--cpu=${cpuSeconds}`,
          `--fsize=${outputBytes}`,
          '--core=0',
          '--nofile=256',
          '--',
        ]
      : []),
    ...(nice ? ['nice', '-n', '10'] : []),
    // The last, because a change of identity, which unshare makes, would undo it.
    ...(setpriv ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []),
    ...command,
  ];
}

/** Whether what runs confined is kept from the network here. */
export async function keepsOffNetwork(): Promise<boolean> {
  known ??= findMeans();
  return (await known).unshare !== null;
}

async function findMeans(): Promise<Means> {
  const [net, userNet, prlimit, setpriv, nice] = await Promise.all([
    works('unshare', ['-n', 'true']),
    works('unshare', ['-rn', 'true']),
    works('prlimit', ['--core=0', 'true']),
    works('setpriv', ['--pdeathsig', 'KILL', '--', 'true']),
    works('nice', ['-n', '10', 'true']),
  ]);
  const unshare = net ? ['unshare', '-n', '--'] : userNet ? ['unshare', '-rn', '--'] : null;
  return { unshare, prlimit, setpriv, nice };
}

async function works(program: string, args: string[]): Promise<boolean> {
  try {
    await run(program, args, { timeout: 5_000 });
    return true;
  } catch {
    return false;
  }
}

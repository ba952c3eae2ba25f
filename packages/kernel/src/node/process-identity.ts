import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * What tells one run of a process from every other that had or will have the same number: when it started, and in which
 * boot of the machine. Only letters, digits and dots. Undefined when no such process runs (a zombie does not run).
 */
export function processIdentity(pid: number): Promise<string | undefined> {
  return process.platform === 'linux' ? linuxIdentity(pid) : portableIdentity(pid);
}

async function linuxIdentity(pid: number): Promise<string | undefined> {
  try {
    const [status, bootId] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The name of the program stands in parentheses and may hold anything; fields are counted after it (proc(5)).
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    const [state, startTime] = [fields[0], fields[19]];
    return state === 'Z' || state === 'X' ? undefined : `${startTime}.${bootId.slice(0, 8)}`;
  } catch {
    return undefined;
  }
}

async function portableIdentity(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    });
    const [, state, started] = /^\s*(\S+)\s+(.*?)\s*$/.exec(stdout) ?? [];
    return state === undefined || state.startsWith('Z') ? undefined : started?.replaceAll(/[^A-Za-z0-9]/g, '.');
  } catch {
    return undefined;
  }
}

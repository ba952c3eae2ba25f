import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts processor time in USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

type Stat = { pid: number; parent: number; seconds: number };

/** A process and all its living descendants. Linux only, like the whole bench: it reads /proc. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const { pid, parent } of allStats()) children.set(parent, [...(children.get(parent) ?? []), pid]);
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** Processor time in seconds of those processes, including children that they have already waited for. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (readStat(pid)?.seconds ?? 0), 0);
}

/** Peak resident size in bytes since the process started (VmHWM), 0 when it is gone. */
export function peakResidentBytes(pid: number): number {
  return kilobytes(`/proc/${pid}/status`, /^VmHWM:\s+(\d+) kB/m);
}

/**
 * Proportional set size in bytes, summed: pages that several of the processes share count once. That is the honest
 * figure for a database, whose processes all map the same shared buffers.
 */
export function proportionalBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + kilobytes(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m), 0);
}

function allStats(): Stat[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readStat(Number(pid))).filter((stat) => stat !== null);
}

function readStat(pid: number): Stat | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The name in parentheses may hold spaces and parentheses itself: fields are counted from the last ")".
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, value) => sum + Number(value), 0);
  return { pid, parent: Number(fields[1]), seconds: ticks / TICKS_PER_SECOND };
}

function kilobytes(path: string, pattern: RegExp): number {
  const found = pattern.exec(read(path) ?? '');
  return found ? Number(found[1]) * 1024 : 0;
}

/** Null when the process has ended between listing and reading. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

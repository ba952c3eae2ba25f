import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A file system of its own in memory, of `megabytes`, at `folder`. */
export interface SmallDisk {
  remove(): Promise<void>;
}

/** Whether this process may mount; without root the tests of a full disk are skipped. */
export const canMount = (): boolean => process.platform === 'linux' && process.getuid?.() === 0;

export async function mountSmallDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'carcosa-test', folder]);
  return { remove: async () => void (await run('umount', ['-l', folder])) };
}

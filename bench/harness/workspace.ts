import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './commands.ts';

export const MEBIBYTE = 1024 * 1024;
export const GIBIBYTE = 1024 * MEBIBYTE;

const TMPFS_MAGIC = 0x01021994;

/**
 * The directory in which every server of a run keeps its data, so that all of them write to one real file system.
 * Everything in it can be deleted; the source files are kept between runs because making them takes seconds.
 */
export class Workspace {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    mkdirSync(join(root, 'logs'), { recursive: true });
    mkdirSync(join(root, 'source'), { recursive: true });
    if (statfsSync(root).type === TMPFS_MAGIC) {
      throw new Error(`${root} is in memory: nothing there is ever synced. Name a real file system in BENCH_DIR.`);
    }
  }

  logFile(name: string): string {
    return join(this.root, 'logs', `${name.replaceAll(/[^\w.-]+/g, '-')}.log`);
  }

  /** An empty directory of that name; what an earlier run left there is deleted. */
  directory(name: string): string {
    const path = join(this.root, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** A file of `bytes` random bytes, in the page cache when this resolves. */
  async source(bytes: number): Promise<string> {
    const path = join(this.root, 'source', `${bytes}.bin`);
    if (!existsSync(path) || statSync(path).size !== bytes) await writeRandom(path, bytes);
    await readThrough(path);
    return path;
  }

  /**
   * The source of `bytes` bytes cut into parts of `partSize` (the last one may be shorter), in order, so that curl can
   * send each from a file of its own.
   */
  async parts(bytes: number, partSize: number): Promise<string[]> {
    const source = await this.source(bytes);
    const folder = join(this.root, 'source', `${bytes}-by-${partSize}`);
    const count = Math.ceil(bytes / partSize);
    const paths = Array.from({ length: count }, (_, part) => join(folder, String(part).padStart(6, '0')));
    if (!paths.every((path) => existsSync(path))) {
      mkdirSync(folder, { recursive: true });
      await run('split', ['-b', String(partSize), '-d', '-a', '6', source, `${folder}/`]);
    }
    for (const path of paths) await readThrough(path);
    return paths;
  }

  /**
   * Gives every contestant the same start: what the one before still owes the disk is written out, and (`pretouch` > 0)
   * that many bytes of page cache are allocated and freed. In a virtual machine that hands free memory back to its
   * host, the first touch of a page costs more than copying to it, and whoever comes after a pause would pay for all.
   */
  async settle(pretouch: number): Promise<void> {
    await run('sync', ['-f', this.root]);
    if (pretouch === 0) return;
    const scratch = join(this.root, 'pretouch.tmp');
    await run('dd', ['if=/dev/zero', `of=${scratch}`, 'bs=1M', `count=${Math.ceil(pretouch / MEBIBYTE)}`]);
    rmSync(scratch);
    await run('sync', ['-f', this.root]);
  }
}

async function writeRandom(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w');
  const block = Buffer.allocUnsafe(Math.min(8 * MEBIBYTE, bytes));
  for (let written = 0; written < bytes; written += block.length) {
    const chunk = block.subarray(0, Math.min(block.length, bytes - written));
    await file.write(randomFillSync(chunk));
  }
  await file.sync();
  await file.close();
}

/** Reads a file to its end, so that it is in the page cache. */
export async function readThrough(path: string): Promise<void> {
  await run('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M']);
}

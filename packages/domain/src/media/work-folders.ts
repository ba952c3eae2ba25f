import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CarcosaError } from '@carcosa/kernel';

/** Folders for what is being made, each for as long as it is needed. Those of a process that has died are removed by the next one. */
export class WorkFolders {
  readonly #root: string;
  #ready: Promise<void> | undefined;

  /** @param root a folder of our own, absolute; it is made when it is needed */
  constructor(root: string) {
    this.#root = root;
  }

  /** @throws CarcosaError `storage_full` where there is no room for one */
  async use<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
    this.#ready ??= this.#prepare();
    await this.#ready;
    const folder = await mkdtemp(join(this.#root, `${process.pid}-`));
    try {
      return await work(folder);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException | undefined)?.code;
      if (code === 'ENOSPC' || code === 'EDQUOT') throw new CarcosaError('storage_full', { cause: error });
      throw error;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    const left = (await readdir(this.#root)).filter((name) => !isAlive(Number.parseInt(name, 10)));
    await Promise.all(left.map((name) => rm(join(this.#root, name), { recursive: true, force: true })));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

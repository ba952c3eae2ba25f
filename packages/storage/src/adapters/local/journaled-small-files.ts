import { closeSync, openSync, unlinkSync } from 'node:fs';
import type { SmallFile } from './disk-worker-protocol.ts';
import { settleFiles } from './settle-files.ts';
import { SmallFileJournal } from './small-file-journal.ts';
import { attemptEach, inFolder, type Stored, writeContent } from './small-files.ts';

/** Milliseconds between two looks for what can be settled. */
const SETTLE_EVERY_MS = 5_000;

/** A small file of a bucket that has a journal. */
export type JournaledFile = SmallFile & { journal: NonNullable<SmallFile['journal']> };

/** The small files of one bucket that are durable by its journal. Runs in the disk worker: `store` blocks, settling does not. */
export class JournaledSmallFiles {
  readonly #journal: SmallFileJournal;
  readonly #objects: string;
  readonly #timer: NodeJS.Timeout;
  #settling: Promise<void> | null = null;

  /** @param place the journal's directory, and the one below which the keys are the paths of files */
  constructor(place: { directory: string; objects: string }, options: { owner: string; now(): number }) {
    this.#journal = new SmallFileJournal({ directory: place.directory, ...options });
    this.#objects = place.objects;
    this.#timer = setInterval(() => {
      this.#journal.tidy();
      this.#settleSoon();
    }, SETTLE_EVERY_MS);
  }

  /** Each file is whole and durable, or refused; null: the journal takes none at present, and nothing was done. */
  store(group: readonly JournaledFile[]): Stored | null {
    if (this.#journal.isFull) return null;
    const refused: Stored['refused'] = new Map();
    const open = new Map<JournaledFile, number>();
    // The names first: what cannot have its name must not be in the journal.
    attemptEach(group, refused, (file) => {
      open.set(
        file as JournaledFile,
        inFolder(file, new Set(), () => openSync(file.target, 'wx', 0o640)),
      );
    });
    try {
      this.#journal.append([...open.keys()].map(({ journal, content }) => ({ key: journal.key, content })));
    } catch {
      for (const [{ target }, fd] of open) withdraw(target, fd);
      return null;
    }
    attemptEach(open.keys(), refused, (file) => writeAndClose(open.get(file as JournaledFile) as number, file.content));
    this.#settleSoon();
    return { stored: group.filter((file) => !refused.has(file)), refused };
  }

  /** Syncs every file that the journal holds. Failures leave it as it is. */
  async settleAll(): Promise<void> {
    // One at a time: a segment that two have settled would be used for two purposes.
    while (this.#settling) await this.#settling;
    await this.#alone(this.#settle(true));
  }

  /** Removes what it has on the disk, if nothing is held there any more. @returns whether it did */
  closeIfSettled(): boolean {
    if (!this.#journal.isEmpty) return false;
    clearInterval(this.#timer);
    this.#journal.close();
    return true;
  }

  #settleSoon(): void {
    if (!this.#settling) void this.#alone(Promise.all([this.#settle(false), this.#journal.prepare()]));
  }

  #alone(work: Promise<unknown>): Promise<void> {
    this.#settling = work.then(() => {
      this.#settling = null;
    });
    return this.#settling;
  }

  async #settle(all: boolean): Promise<void> {
    for (;;) {
      const segment = this.#journal.dueToSettle({ all });
      if (!segment) return;
      try {
        await settleFiles(this.#objects, segment.keys);
      } catch {
        // They are as safe as before: in the journal, which is tried again.
        return;
      }
      this.#journal.settled(segment);
    }
  }
}

function writeAndClose(fd: number, content: Uint8Array): void {
  try {
    writeContent(fd, content);
  } finally {
    closeSync(fd);
  }
}

/** Takes back a name under which nothing was written. */
function withdraw(target: string, fd: number): void {
  closeSync(fd);
  unlinkSync(target);
}

import type { SmallFile } from './disk-worker-protocol.ts';
import { type JournaledFile, JournaledSmallFiles } from './journaled-small-files.ts';
import type { Stored } from './small-files.ts';
import { storeSynced } from './synced-small-files.ts';

/** Stores small files whole, by the journal of their bucket where they have one. Runs in the disk worker. */
export class SmallFileWriter {
  readonly #options: { owner: string; now(): number };
  /** By the directories of their journals. */
  readonly #journaled = new Map<string, JournaledSmallFiles>();

  /** @param options the `owner` names the running process in the names of its journals; `now` is a steady clock in milliseconds */
  constructor(options: { owner: string; now(): number }) {
    this.#options = options;
  }

  /** Each file by itself is whole and durable afterwards, or refused. */
  store(group: readonly SmallFile[]): Stored {
    const parts = [...grouped(group)].map(([directory, files]) => this.#storePart(directory, files));
    return {
      stored: parts.flatMap(({ stored }) => stored),
      refused: new Map(parts.flatMap(({ refused }) => [...refused])),
    };
  }

  /** Syncs all that lies in the journal of `directory`, so that nothing has to be done about it at the next start. */
  async settleAll(directory: string): Promise<void> {
    const journaled = this.#journaled.get(directory);
    if (!journaled) return;
    await journaled.settleAll();
    if (journaled.closeIfSettled()) this.#journaled.delete(directory);
  }

  #storePart(directory: string | null, files: SmallFile[]): Stored {
    if (directory === null) return storeSynced(files);
    return this.#journalOf(directory, files[0] as JournaledFile).store(files as JournaledFile[]) ?? storeSynced(files);
  }

  #journalOf(directory: string, { journal }: JournaledFile): JournaledSmallFiles {
    let journaled = this.#journaled.get(directory);
    journaled ??= new JournaledSmallFiles(journal, this.#options);
    this.#journaled.set(directory, journaled);
    return journaled;
  }
}

/** By the directories of their journals; null: those without. */
function grouped(files: readonly SmallFile[]): Map<string | null, SmallFile[]> {
  const groups = new Map<string | null, SmallFile[]>();
  for (const file of files) {
    const directory = file.journal?.directory ?? null;
    const group = groups.get(directory);
    if (group) group.push(file);
    else groups.set(directory, [file]);
  }
  return groups;
}

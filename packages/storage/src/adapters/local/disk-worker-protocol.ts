/**
 * What the main thread tells a worker. Of hashes: all that is said of a stream is done in that order. Lengths and positions in
 * bytes.
 */
export type DiskCommand =
  | StoreCommand
  /** Sync all that lies in the journal of this directory. Answered with `settled`. */
  | { type: 'settle'; id: number; directory: string }
  | { type: 'open'; id: number; path: string }
  /** Hash what is in a slot. Answered with `hashed`. */
  | { type: 'slot'; id: number; slot: number; length: number }
  /** Hash the file from where the stream stands up to `position`. */
  | { type: 'file'; id: number; position: number }
  /** Answer with the digest and forget the stream. */
  | { type: 'finish'; id: number }
  | { type: 'close'; id: number };

/** Make small files. What is sent together shares the syncs of its folders. Each is answered in a `stored` or by `refused`. */
export interface StoreCommand {
  type: 'store';
  files: SmallFile[];
}

/**
 * A whole small file: written at `staged`, synced, given the name `target` (making folders that are missing; never replacing a file),
 * and the folders synced. With `staged` null it is written at `target` at once, and is durable by the journal where there is one.
 */
export interface SmallFile {
  id: number;
  staged: string | null;
  target: string;
  content: Uint8Array;
  /** Where its bytes are put on stable storage; `objects` and the `key` make the target. Null: at the target. */
  journal: { directory: string; objects: string; key: string } | null;
}

export type DiskReply =
  | { type: 'stored'; ids: number[] }
  /** `code` of the system, such as ENOSPC. */
  | { type: 'refused'; id: number; code: string; message: string }
  | { type: 'settled'; id: number }
  | { type: 'hashed'; slot: number }
  | { type: 'digest'; id: number; sha256: string }
  | { type: 'failed'; id: number; message: string };

/** What the main thread tells the hash worker. Lengths and positions in bytes. */
export type HashCommand =
  | { type: 'open'; id: number; path: string }
  /** The first `available` bytes of the file may be read. */
  | { type: 'advance'; id: number; available: number }
  /** The content ends at `length`: answer with its digest and forget the stream. */
  | { type: 'finish'; id: number; length: number }
  | { type: 'close'; id: number };

export type HashReply = { type: 'digest'; id: number; sha256: string } | { type: 'failed'; id: number; message: string };

/**
 * What the main thread tells a hash worker of one stream. All that is said of a stream is done in that order. Lengths and
 * positions in bytes.
 */
export type HashCommand =
  | { type: 'open'; id: number; path: string }
  /** Hash what is in a slot. Answered with `hashed`. */
  | { type: 'slot'; id: number; slot: number; length: number }
  /** Hash the file from where the stream stands up to `position`. */
  | { type: 'file'; id: number; position: number }
  /** Answer with the digest and forget the stream. */
  | { type: 'finish'; id: number }
  | { type: 'close'; id: number };

export type HashReply =
  | { type: 'hashed'; slot: number }
  | { type: 'digest'; id: number; sha256: string }
  | { type: 'failed'; id: number; message: string };

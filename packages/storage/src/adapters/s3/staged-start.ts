import type { Buffer } from 'node:buffer';
import type { Hash } from 'node:crypto';
import type { BufferPool } from './buffer-pool.ts';
import type { S3Api } from './client.ts';
import type { Gate } from './gate.ts';
import type { Layout } from './layout.ts';
import type { Multipart } from './multipart.ts';
import type { ParkedHashes } from './parked-hashes.ts';
import type { PartBuffer } from './part-buffer.ts';
import type { StagedState } from './staged-state.ts';
import type { Writer } from './verified-put.ts';

/** What all staged objects of a bucket share. */
export interface StagingContext {
  readonly api: S3Api;
  readonly layout: Layout;
  /** Parts of all uploads on their way. */
  readonly gate: Gate;
  readonly parked: ParkedHashes;
  readonly buffers: BufferPool;
}

export interface StagedStart {
  /** What the upload's row says, or will say. */
  state: StagedState;
  writer: Writer;
  part: PartBuffer;
  /** `null` for an object that is known to fit in one PUT. */
  multipart: Multipart | null;
  /** Of the first `state.length` bytes, where it is known. */
  hash: Hash | null;
  /** The first bytes, where they are in a part already and known. */
  head: Buffer | null;
}

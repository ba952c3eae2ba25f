import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BucketId } from '@carcosa/kernel';
import { CarcosaError, isCarcosaError, type Random } from '@carcosa/kernel';
import { type MediaSource, RangeServer } from '@carcosa/media';
import type { StoreRegistry } from '../buckets/store-registry.ts';

/** A content in a bucket. */
export interface StoredContent {
  readonly bucketId: BucketId;
  readonly storageKey: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
}

export interface SourceAccessParts {
  stores: StoreRegistry;
  random: Random;
}

/** Lets programs of this machine at contents, wherever they lie. */
export class SourceAccess {
  readonly #parts: SourceAccessParts;

  constructor(parts: SourceAccessParts) {
    this.#parts = parts;
  }

  /**
   * As a file: where it lies, or a copy in `folder`.
   * @throws CarcosaError `storage_unavailable` where the bytes are lost
   */
  async file(content: StoredContent, folder: string, signal?: AbortSignal): Promise<string> {
    const store = await this.#parts.stores.storeFor(content.bucketId);
    if (store.files) return store.files.locate(content.storageKey);
    const copy = join(folder, 'source');
    try {
      const body = await store.read(content.storageKey, signal ? { signal } : {});
      await pipeline(body, createWriteStream(copy, { flags: 'wx' }), signal ? { signal } : {});
    } catch (error) {
      throw isCarcosaError(error, 'not_found') ? lost(error) : error;
    }
    return copy;
  }

  /**
   * For FFmpeg, which reads here and there: where it lies, or through a server of our own on this machine, so that no more of it is
   * fetched than is read.
   */
  async media<Result>(content: StoredContent, work: (source: MediaSource) => Promise<Result>): Promise<Result> {
    const { contentType, storageKey: key, size } = content;
    const store = await this.#parts.stores.storeFor(content.bucketId);
    if (store.files) return await work({ address: `file:${store.files.locate(key)}`, contentType });
    if (!(await store.stat(key))) throw lost();
    const secret = Buffer.from(this.#parts.random.bytes(24)).toString('base64url');
    const server = await RangeServer.open(
      { size, read: (range, signal) => store.read(key, { range, signal }) },
      secret,
    );
    try {
      return await work({ address: server.address, contentType });
    } finally {
      server.close();
    }
  }
}

function lost(cause?: unknown): CarcosaError {
  return new CarcosaError('storage_unavailable', { message: 'The bucket has lost the bytes of this file.', cause });
}

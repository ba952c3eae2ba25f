import { Readable } from 'node:stream';
import { CarcosaError } from '@carcosa/kernel';
import type { S3Api } from './client.ts';
import { toStorageError } from './errors.ts';

/** How often in a row the same byte is asked for before the stream fails. */
const MAX_REOPENS = 3;

interface Source {
  body: Readable;
  /** Inclusive positions in the object of what is still to come. */
  start: number;
  end: number;
}

/** Opens an object, or an inclusive range of it, for reading. @throws CarcosaError `not_found`, `range_not_satisfiable` */
export async function openBody(
  api: S3Api,
  key: string,
  options: { range?: { start: number; end: number }; signal?: AbortSignal } = {},
): Promise<Readable> {
  options.signal?.throwIfAborted();
  const { body, size, etag } = await api.get(key, options);
  const start = options.range?.start ?? 0;
  return new ObjectBody(api, { key, etag }, { body, start, end: start + size - 1 }, options.signal);
}

/**
 * The bytes of one object. Counts them: a connection that ends early is never the end of the object, but is opened again where it
 * broke off, also after a reader that paused for longer than the provider waits. Destroying it closes the connection.
 */
class ObjectBody extends Readable {
  readonly #api: S3Api;
  readonly #object: { key: string; etag: string };
  readonly #end: number;
  /** Ends a request that is under way when the reader has gone. */
  readonly #gone = new AbortController();
  #position: number;
  #body: Readable | null = null;
  /** Whether `_read` waits for bytes. */
  #wanted = false;
  #reopens = 0;

  constructor(api: S3Api, object: { key: string; etag: string }, source: Source, signal: AbortSignal | undefined) {
    super({ highWaterMark: 256 * 1024, ...(signal ? { signal } : {}) });
    this.#api = api;
    this.#object = object;
    this.#position = source.start;
    this.#end = source.end;
    this.#attach(source.body);
  }

  override _read(): void {
    this.#wanted = true;
    if (this.#body) this.#body.resume();
    else if (this.#position > this.#end) this.push(null);
    else this.#reopen(null);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#gone.abort();
    this.#body?.destroy();
    callback(error);
  }

  #attach(body: Readable): void {
    this.#body = body;
    body.on('data', (chunk: Buffer) => this.#receive(chunk));
    body.on('error', (error) => this.#ended(body, error));
    body.on('close', () => this.#ended(body, null));
    // Until somebody reads: adding the listener has set it flowing.
    body.pause();
  }

  #receive(chunk: Buffer): void {
    this.#position += chunk.length;
    this.#reopens = 0;
    this.#wanted = false;
    if (!this.push(chunk)) this.#body?.pause();
  }

  #ended(body: Readable, error: Error | null): void {
    if (this.#body !== body || this.destroyed) return;
    this.#body = null;
    if (this.#position > this.#end) this.push(null);
    // A reader that has paused may never want the rest.
    else if (this.#wanted) this.#reopen(error);
  }

  #reopen(cause: Error | null): void {
    this.#reopens += 1;
    if (this.#reopens > MAX_REOPENS) {
      const message = 'The bucket breaks off in the middle of an object; retry later.';
      this.destroy(new CarcosaError('storage_unavailable', { message, ...(cause ? { cause } : {}) }));
      return;
    }
    const range = { start: this.#position, end: this.#end };
    this.#api.get(this.#object.key, { range, etag: this.#object.etag, signal: this.#gone.signal }).then(
      ({ body }) => {
        if (this.destroyed) body.destroy();
        else {
          this.#attach(body);
          body.resume();
        }
      },
      (error) => this.destroy(toStorageError(error) as Error),
    );
  }
}

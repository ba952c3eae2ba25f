import { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { CarcosaError } from '@carcosa/kernel';

/** A body must bring this many bytes in each window, or it is cut off: slow enough for any link that still works. */
const MIN_BYTES_PER_WINDOW = 4096;
const WINDOW_MS = 30_000;

export interface ReceiveOptions {
  /** Most bytes that may come. */
  limit: number;
  /** Takes a chunk; a promise is back-pressure. */
  append(chunk: Uint8Array, owned: boolean): Promise<void> | undefined;
  /** Called after each chunk with the bytes received so far. */
  onProgress?(received: number): void;
  /** Stops reading with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Reads a body to its end into `append`, with back-pressure.
 * @returns the number of bytes received
 * @throws CarcosaError `payload_too_large` beyond `limit`, `upload_interrupted` when the sender is gone, `request_timeout` when
 *   it is too slow; whatever `append` or the signal rejects with. What was appended before stays appended.
 */
export function receive(body: Readable, options: ReceiveOptions): Promise<number> {
  const { limit, append, onProgress, signal } = options;
  return new Promise((resolve, reject) => {
    let received = 0;
    let windowBytes = 0;
    let waiting = false;
    // Chunks of a request's own body are seen by nobody else; those of a parsed form are pieces of larger ones.
    const owned = body instanceof IncomingMessage;

    const timer = setInterval(() => {
      // Time that the sender spent waiting for us does not count against it.
      if (!waiting && windowBytes < MIN_BYTES_PER_WINDOW) stop(new CarcosaError('request_timeout'));
      windowBytes = 0;
    }, WINDOW_MS);
    timer.unref();

    const settle = () => {
      clearInterval(timer);
      body.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      signal?.removeEventListener('abort', onAbort);
      // Errors that a socket still throws after we have turned away concern nobody.
      body.on('error', () => {});
    };
    const stop = (error: unknown) => {
      settle();
      body.pause();
      reject(error);
    };
    const onData = (chunk: Uint8Array) => {
      if (received + chunk.length > limit) {
        stop(new CarcosaError('payload_too_large', { details: { limit } }));
        return;
      }
      received += chunk.length;
      windowBytes += chunk.length;
      const wait = append(chunk, owned);
      onProgress?.(received);
      if (!wait) return;
      waiting = true;
      body.pause();
      wait.then(() => {
        waiting = false;
        body.resume();
      }, stop);
    };
    const onEnd = () => {
      settle();
      resolve(received);
    };
    const onGone = () => stop(new CarcosaError('upload_interrupted'));
    const onAbort = () => stop(signal?.reason);

    if (signal?.aborted) return onAbort();
    if (body.readableEnded) return onEnd();
    if (body.destroyed) return onGone();
    signal?.addEventListener('abort', onAbort, { once: true });
    body.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

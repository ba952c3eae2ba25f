import type { ServerResponse } from 'node:http';
import type { ByteRange } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';

/** A body is sent piece by piece: text of ours in ASCII, and ranges of a file. */
export type BodyPiece = string | ByteRange;

export interface Body {
  readonly pieces: readonly BodyPiece[];
  /** Writes the status line and the headers. Called once, when the first bytes are there: until then an error can still be told. */
  readonly writeHead: () => void;
}

export function lengthOf(piece: BodyPiece): number {
  return typeof piece === 'string' ? piece.length : piece.end - piece.start + 1;
}

/**
 * Hands `chunk` to the connection. Resolves when the system has taken it and its memory is free again: false when the
 * connection broke. With `last`, that was the whole body.
 */
export function write(response: ServerResponse, chunk: Uint8Array, last: boolean): Promise<boolean> {
  // An answer that waits for the one before it on the same connection has no socket yet; its request has.
  const { socket } = response.req;
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve(false);
    const onClose = (): void => settle(false);
    const settle = (isOut: boolean): void => {
      socket.off('close', onClose);
      resolve(isOut);
    };
    socket.once('close', onClose);
    if (last) response.end(chunk, () => settle(true));
    else response.write(chunk, (error) => settle(!error));
  });
}

/** Cuts the connection: what is sent already is not the whole, and the client must not take it for that. */
export function cut(response: ServerResponse): void {
  response.req.socket.destroy();
}

export function storageFailure(cause: unknown): CarcosaError {
  return cause instanceof CarcosaError ? cause : new CarcosaError('storage_unavailable', { cause });
}

export function truncatedObject(): CarcosaError {
  return new CarcosaError('storage_unavailable', {
    message: 'The bucket has lost bytes of this file.',
    retryable: false,
  });
}

import type { ServerResponse } from 'node:http';
import type { ByteRange } from '@carcosa/domain';
import type { OpenFile } from '@carcosa/storage/port';
import { type Body, cut, lengthOf, storageFailure, truncatedObject, write } from './body.ts';
import { type BufferPool, SMALL_BUFFER } from './buffer-pool.ts';
import type { PacedReader } from './paced-reader.ts';

export interface FileSource {
  readonly file: OpenFile;
  readonly reader: PacedReader;
  readonly buffers: BufferPool;
}

/**
 * Sends pieces of an open file, and releases it whatever happens.
 * @returns a promise unless all is handed over already. It rejects only while nothing is sent; after that a body that cannot be
 * finished ends with the connection.
 * @throws CarcosaError `storage_unavailable`
 */
export function sendFile(source: FileSource, response: ServerResponse, body: Body): void | Promise<void> {
  const [only] = body.pieces;
  const isSmall =
    body.pieces.length === 1 && only !== undefined && typeof only !== 'string' && lengthOf(only) <= SMALL_BUFFER;
  return isSmall ? sendSmall(source, response, body, only) : sendPieces(source, response, body);
}

/** One read and one write. */
function sendSmall(
  { file, reader, buffers }: FileSource,
  response: ServerResponse,
  body: Body,
  range: ByteRange,
): void | Promise<void> {
  const length = lengthOf(range);
  const buffer = buffers.take(length);
  const send = (count: number): void => {
    file.release();
    if (count < length) throw truncatedObject();
    body.writeHead();
    // If the connection breaks this is never called, and the buffer is left to the garbage collector.
    response.end(length === buffer.length ? buffer : buffer.subarray(0, length), () => buffers.give(buffer));
  };
  const fail = (error: unknown): never => {
    file.release();
    throw storageFailure(error);
  };
  let read: number | Promise<number>;
  try {
    read = reader.read(file.fd, buffer, length, range.start);
  } catch (error) {
    return fail(error);
  }
  return typeof read === 'number' ? send(read) : read.then(send, fail);
}

/** Reads into one buffer while the other one is being written. */
async function sendPieces({ file, reader, buffers }: FileSource, response: ServerResponse, body: Body): Promise<void> {
  let left = body.pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  let isHeadOut = false;
  let writing: Promise<boolean> | undefined;
  const send = async (chunk: Uint8Array): Promise<boolean> => {
    if (!isHeadOut) body.writeHead();
    isHeadOut = true;
    if (writing && !(await writing)) return false;
    left -= chunk.length;
    writing = write(response, chunk, left === 0);
    return true;
  };
  const pair: Buffer[] = [];
  let turn = 0;
  try {
    for (const piece of body.pieces) {
      if (typeof piece === 'string') {
        if (!(await send(Buffer.from(piece)))) return;
        continue;
      }
      for (let position = piece.start; position <= piece.end; turn ^= 1) {
        pair[turn] ??= buffers.take(left);
        const buffer = pair[turn] as Buffer;
        const length = Math.min(buffer.length, piece.end - position + 1);
        const read = reader.read(file.fd, buffer, length, position);
        const count = typeof read === 'number' ? read : await read;
        if (count < length) throw truncatedObject();
        if (!(await send(buffer.subarray(0, length)))) return;
        position += length;
      }
    }
    await writing;
  } catch (error) {
    if (!isHeadOut) throw storageFailure(error);
    cut(response);
    await writing;
  } finally {
    file.release();
    for (const buffer of pair) buffers.give(buffer);
  }
}

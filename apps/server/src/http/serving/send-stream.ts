import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { ObjectStore } from '@carcosa/storage/port';
import { type Body, cut, lengthOf, storageFailure, truncatedObject, write } from './body.ts';

export interface StreamSource {
  readonly store: ObjectStore;
  readonly storageKey: string;
}

/**
 * Sends pieces of an object that is read over the network. When the client goes away, the reading stops; when the bucket fails in
 * the middle, the connection is cut.
 * @throws CarcosaError as the store's `read`, and `storage_unavailable`, while nothing is sent
 */
export async function sendStream(
  { store, storageKey }: StreamSource,
  response: ServerResponse,
  body: Body,
): Promise<void> {
  const { socket } = response.req;
  const gone = new AbortController();
  let stream: Readable | undefined;
  const onClose = (): void => {
    gone.abort();
    stream?.destroy();
  };
  socket.once('close', onClose);
  let left = body.pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  let isHeadOut = false;
  const send = async (chunk: Uint8Array): Promise<boolean> => {
    if (!isHeadOut) body.writeHead();
    isHeadOut = true;
    left -= chunk.length;
    return await write(response, chunk, left === 0);
  };
  try {
    for (const piece of body.pieces) {
      if (typeof piece === 'string') {
        if (!(await send(Buffer.from(piece)))) return;
        continue;
      }
      let missing = lengthOf(piece);
      stream = await store.read(storageKey, { range: piece, signal: gone.signal });
      if (gone.signal.aborted) stream.destroy();
      // Leaving the loop in any way destroys the stream.
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        missing -= chunk.length;
        if (missing < 0) throw truncatedObject();
        if (!(await send(chunk))) return;
      }
      if (missing > 0) throw truncatedObject();
    }
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!isHeadOut) throw storageFailure(error);
    cut(response);
  } finally {
    socket.off('close', onClose);
  }
}

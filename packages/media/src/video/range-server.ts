import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** An object that is read in pieces. */
export interface RangeReader {
  /** Bytes. */
  readonly size: number;
  /** `start` and `end` inclusive. */
  read(range: { start: number; end: number }, signal: AbortSignal): Promise<Readable>;
}

/** What is answered where a reader has jumped to, and at most: answers double while it reads on. */
const FIRST_PIECE = 64 * 1024;
const MAX_PIECE = 4 * 1024 * 1024;

/**
 * Shows one object to FFmpeg on this machine, which can only seek in files and over HTTP. An answer is no longer than a piece, after
 * which FFmpeg asks for what follows: otherwise the buffers between two sockets would be filled with megabytes that nobody wants after the next
 * jump. The address has a secret, and ends with the server.
 */
export class RangeServer {
  /** Bytes that were fetched so far. */
  bytesRead = 0;
  readonly #reader: RangeReader;
  readonly #path: string;
  readonly #server: Server;
  /** Where the last answer ended, and how long it was. */
  #last = { end: -2, length: 0 };

  private constructor(reader: RangeReader, secret: string) {
    this.#reader = reader;
    this.#path = `/${secret}`;
    // Little is kept in between: what was fetched and is not wanted any more was for nothing.
    this.#server = createServer(
      { highWaterMark: 64 * 1024 },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** @param secret what makes the address one that nobody else on this machine can know */
  static async open(reader: RangeReader, secret: string): Promise<RangeServer> {
    const server = new RangeServer(reader, secret);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(0, '127.0.0.1', resolve);
    });
    return server;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#path}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { size } = this.#reader;
    if (request.url !== this.#path || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end();
      return;
    }
    const range = rangeOf(request.headers.range, size);
    if (range === null) {
      response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
      return;
    }
    const { start, end } = this.#pieceOf(range);
    response.writeHead(206, {
      'accept-ranges': 'bytes',
      'content-range': `bytes ${start}-${end}/${size}`,
      'content-length': end - start + 1,
      'content-type': 'application/octet-stream',
      connection: 'close',
    });
    if (request.method === 'HEAD') response.end();
    else await this.#send(response, { start, end });
  }

  #pieceOf({ start, end }: { start: number; end: number }): { start: number; end: number } {
    const isNext = start === this.#last.end + 1;
    const length = Math.min(end - start + 1, isNext ? Math.min(MAX_PIECE, this.#last.length * 2) : FIRST_PIECE);
    this.#last = { end: start + length - 1, length };
    return { start, end: this.#last.end };
  }

  async #send(response: ServerResponse, range: { start: number; end: number }): Promise<void> {
    const controller = new AbortController();
    response.on('close', () => controller.abort());
    try {
      const body = await this.#reader.read(range, controller.signal);
      body.on('data', (chunk: Buffer) => {
        this.bytesRead += chunk.length;
      });
      await pipeline(body, response, { signal: controller.signal });
    } catch {
      // The reader has gone, or the bucket does not answer: either way it sees that the body ends early.
      response.destroy();
    }
  }
}

/** Null for what lies outside. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | null {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? 'bytes=0-');
  const start = Number(match?.[1]);
  const end = match?.[2] ? Math.min(Number(match[2]), size - 1) : size - 1;
  return match && start <= end ? { start, end } : null;
}

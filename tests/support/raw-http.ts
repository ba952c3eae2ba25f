import { connect, type Socket } from 'node:net';
import { within } from './clock.ts';

/**
 * HTTP/1.1 by hand, for what a well-behaved client can't send: lengths that lie, bodies that stall, bare line feeds, two
 * lengths at once. Nothing is checked, normalized or added.
 */
export interface RawResponse {
  status: number;
  /** Names in lower case; several of one name are joined by ", ". */
  headers: Record<string, string>;
  body: Buffer;
}

export interface RawConnection {
  /** Resolves when the bytes are with the kernel; rejects when the server has hung up. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** The next response; rejects when the connection ends first or `ms` milliseconds pass. */
  response(ms?: number, options?: { head?: boolean }): Promise<RawResponse>;
  /** The first line that came and was not taken by `response` yet, without its end: interim responses are seen here too. */
  firstLine(ms?: number): Promise<string>;
  /** Half-close: we have said all. */
  end(): void;
  /** Drops the connection at once, without a goodbye. */
  destroy(): void;
  /** Stops reading, so that the server's sending stalls. */
  pause(): void;
  readonly closed: Promise<void>;
  readonly isClosed: boolean;
}

const DEFAULT_WAIT_MS = 15_000;

export async function rawConnect(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  let received = Buffer.alloc(0);
  let isClosed = false;
  let wake: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      resolve();
      wake();
    });
  });
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  // A reset is an end like any other here: whoever waits is told by `closed`.
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });

  const next = async (options: { head?: boolean }): Promise<RawResponse> => {
    for (;;) {
      const parsed = parseResponse(received, isClosed, options.head ?? false);
      if (parsed) {
        received = received.subarray(parsed.consumed);
        // "100 Continue" and its like announce the response proper.
        if (parsed.response.status >= 200) return parsed.response;
        continue;
      }
      if (isClosed)
        throw new Error(`the server hung up; before that it sent: ${received.toString('latin1').slice(0, 500)}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const line = async (): Promise<string> => {
    for (;;) {
      const end = received.indexOf('\r\n');
      if (end >= 0) return received.subarray(0, end).toString('latin1');
      if (isClosed) throw new Error('the server hung up');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    write: (bytes) => write(socket, bytes),
    response: (ms = DEFAULT_WAIT_MS, options = {}) => within(ms, 'a response', next(options)),
    firstLine: (ms = DEFAULT_WAIT_MS) => within(ms, 'a line', line()),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    pause: () => void socket.pause(),
    closed,
    get isClosed() {
      return isClosed;
    },
  };
}

/** Opens a connection, sends `bytes`, gives the first response and hangs up. */
export async function rawExchange(url: string, bytes: string | Uint8Array, ms?: number): Promise<RawResponse> {
  const connection = await rawConnect(url);
  try {
    // A server that refuses early may hang up while we still send; its answer is what counts.
    void connection.write(bytes).catch(() => {});
    return await connection.response(ms);
  } finally {
    connection.destroy();
  }
}

/** The head of a request, its blank line included. `host` and what `headers` says, no more. */
export function requestHead(method: string, target: string, headers: Record<string, string | number>): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

function write(socket: Socket, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.destroyed) reject(new Error('the connection is closed'));
    else socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

interface Parsed {
  response: RawResponse;
  consumed: number;
}

function parseResponse(bytes: Buffer, ended: boolean, isHead: boolean): Parsed | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? 0);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const start = headEnd + 4;
  const done = (body: Buffer, consumed: number): Parsed => ({ response: { status, headers, body }, consumed });
  if (isHead || status < 200 || status === 204 || status === 304) return done(Buffer.alloc(0), start);
  if (headers['transfer-encoding']?.includes('chunked')) {
    const chunks = parseChunks(bytes, start);
    return chunks && done(chunks.body, chunks.end);
  }
  if (headers['content-length'] !== undefined) {
    const end = start + Number(headers['content-length']);
    return bytes.length >= end ? done(bytes.subarray(start, end), end) : null;
  }
  return ended ? done(bytes.subarray(start), bytes.length) : null;
}

function parseChunks(bytes: Buffer, start: number): { body: Buffer; end: number } | null {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    const from = lineEnd + 2;
    if (bytes.length < from + size + 2) return null;
    if (size === 0) return { body: Buffer.concat(chunks), end: from + 2 };
    chunks.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}

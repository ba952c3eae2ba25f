import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CarcosaError, type Clock, type IdGenerator } from '@carcosa/kernel';
import { JSON_TYPE } from './envelope.ts';
import { errorBody } from './error-handler.ts';

/** Time and size limits of connections, in milliseconds and bytes. */
export const CONNECTION_LIMITS = {
  /** From the first byte of a request until its header lines are complete. */
  headersMs: 15_000,
  /** How long a client may neither send what we wait for nor read what we sent. */
  inactivityMs: 60_000,
  /** Longer than the 60 s of common load balancers, so that they close first and never meet a connection that just closed. */
  keepAliveMs: 72_000,
  maxHeaderBytes: 16 * 1024,
};

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What answers on all addresses. */
export interface Site {
  request: RequestHandler;
  /** Takes a connection that asks to be something else than HTTP; absent: such requests are answered as others are. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Ends what would not end by itself when the server stops. */
  moveOn?(): Promise<void>;
}

export interface ListenerParts {
  clock: Clock;
  ids: IdGenerator;
  limits?: Partial<typeof CONNECTION_LIMITS>;
}

// The answer that a connection is busy with, to tell who keeps whom waiting when nothing moves.
const CURRENT = Symbol('current response');
type TrackedSocket = Socket & { [CURRENT]?: ServerResponse };

/**
 * The TCP side of the server. It listens before the rest is up, so that a taken port is known at once, answers 503 until
 * `handle` is called, and drains at the end.
 */
export class Listener {
  readonly #server: Server;
  readonly #parts: ListenerParts;
  readonly #sockets = new Set<Socket>();
  readonly #malformed: RequestHandler;
  #handler: RequestHandler;
  #site: Site | undefined;

  constructor(parts: ListenerParts) {
    const limits = { ...CONNECTION_LIMITS, ...parts.limits };
    this.#parts = parts;
    this.#handler = this.#refuse(new CarcosaError('overloaded', { message: 'The server is starting; retry shortly.' }));
    this.#malformed = this.#refuse(clientErrorOf(undefined));
    this.#server = createServer({
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersMs,
      // Uploads may take hours; what is slow is found by the inactivity limit and by whoever reads the body.
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(2_000, limits.headersMs),
      noDelay: true,
      insecureHTTPParser: false,
      // Node's own answer would have no body.
      requireHostHeader: false,
      // Whatever else is offered beside HTTP/1.1, h2c by curl say, is passed over (RFC 9110, section 7.8).
      shouldUpgradeCallback: asksForWebSocket,
    });
    this.#server.on('request', (request, response) => this.#take(request, response));
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      continueWhenRead(request, response);
      this.#take(request, response);
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
      this.#answerClientError(error, socket),
    );
    this.#server.setTimeout(limits.inactivityMs, (socket: Socket) => endIfClientIsIdle(socket, limits.inactivityMs));
  }

  /** @returns the port, which the system chose where `port` is 0; rejects with the system's error (EADDRINUSE, EACCES, …) */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on `site` answers. */
  handle(site: RequestHandler | Site): void {
    this.#site = typeof site === 'function' ? { request: site } : site;
    this.#handler = this.#site.request;
    const { upgrade } = this.#site;
    if (!upgrade) return;
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      // What was let through stays with whoever takes it; what comes during the stop is sent away.
      if (this.#handler === this.#site?.request) upgrade(request, socket, head);
      else socket.destroy();
    });
  }

  /**
   * Takes no new connections and requests and resolves when those under way have ended. Connections that `cut` names are
   * dropped once its signal aborts.
   */
  async drain(cut: AbortSignal): Promise<void> {
    this.#handler = this.#refuse(new CarcosaError('shutting_down'));
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    // A connection becomes idle when its last answer is out, and Node closes it only when it is told.
    const sweep = setInterval(() => this.#closeIdle(), 50);
    this.#closeIdle();
    const movedOn = this.#site?.moveOn?.();
    const dropAll = (): void => {
      this.#server.closeAllConnections();
      // Those that are no HTTP any more: the server knows nothing of them.
      for (const socket of this.#sockets) socket.destroy();
    };
    cut.addEventListener('abort', dropAll, { once: true });
    if (cut.aborted) dropAll();
    await closed;
    await movedOn;
    clearInterval(sweep);
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    (request.socket as TrackedSocket)[CURRENT] = response;
    if (request.headers.host === undefined && request.httpVersion === '1.1') this.#malformed(request, response);
    else this.#handler(request, response);
  }

  #closeIdle(): void {
    this.#server.closeIdleConnections();
    // Browsers connect in advance: to Node, a connection is not idle before its first request.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  /** A handler that says why nothing is served now, and ends the connection. */
  #refuse(error: CarcosaError): RequestHandler {
    return (request, response) => {
      if (request.url === '/health' && error.code !== 'invalid_request') {
        response.writeHead(200, { 'Content-Type': JSON_TYPE, Connection: 'close' }).end('{"status":"alive"}');
        return;
      }
      const { status, headers, body } = this.#answer(error);
      response.writeHead(status, status === 503 ? { ...headers, 'Retry-After': '1' } : headers).end(body);
    };
  }

  /** What the parser refused never becomes a request: it is answered here, in the shape of every other error. */
  #answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const response = (socket as TrackedSocket)[CURRENT];
    // In the middle of another answer, or with nobody there, there is nothing that could be said.
    if (!socket.writable || error.code === 'ECONNRESET' || (response?.headersSent && !response.writableFinished)) {
      socket.destroy();
      return;
    }
    const { status, headers, body } = this.#answer(clientErrorOf(error.code));
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`, () => socket.destroy());
  }

  #answer(error: CarcosaError): { status: number; headers: Record<string, string>; body: string } {
    const { clock, ids } = this.#parts;
    const content = errorBody(error, ids.next('request'), clock);
    const body = JSON.stringify(content);
    const headers = {
      'Content-Type': JSON_TYPE,
      'Content-Length': String(Buffer.byteLength(body)),
      'X-Request-Id': content.requestId,
      'Access-Control-Allow-Origin': '*',
      Connection: 'close',
    };
    return { status: content.status, headers, body };
  }
}

const asksForWebSocket = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';

/**
 * `Expect: 100-continue` (RFC 9110, section 10.1.1): the client is told to send its body when somebody begins to read it. Who is refused
 * before that is not; then the connection ends with the answer, because nobody knows whether the body is on its way all the same.
 */
function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  response.shouldKeepAlive = false;
  const read = request._read;
  request._read = function (size) {
    request._read = read;
    if (!response.headersSent) {
      response.shouldKeepAlive = true;
      response.writeContinue();
    }
    read.call(this, size);
  };
}

function clientErrorOf(code: string | undefined): CarcosaError {
  if (code === 'HPE_HEADER_OVERFLOW') return new CarcosaError('headers_too_large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new CarcosaError('request_timeout');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return new CarcosaError('payload_too_large');
  return new CarcosaError('invalid_request', { message: 'This is not a well-formed HTTP/1.1 request.' });
}

/**
 * Nothing has moved for the length of the limit. Ends the connection if the client is what we wait for; a client that waits for us
 * (for a slow bucket, say) is left alone.
 */
function endIfClientIsIdle(socket: Socket, inactivityMs: number): void {
  const response = (socket as TrackedSocket)[CURRENT];
  const waitsForUs =
    response !== undefined &&
    !response.writableFinished &&
    socket.writableLength === 0 &&
    (response.req.complete || response.req.readableLength > 0);
  if (waitsForUs) socket.setTimeout(inactivityMs);
  // Who does not read gets no goodbye: it would wait behind megabytes that the system keeps, and offers again for minutes.
  else if (socket.writableLength > 0) socket.resetAndDestroy();
  else socket.destroy();
}

import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What goes wrong with a request. */
export type Fault =
  /** The proxy answers in the provider's place; the provider hears nothing. */
  | { type: 'error'; status: number; code: string; headers?: Record<string, string> }
  /** The provider does nothing, and a success is answered with an error in its body, as S3 may after it has sent its headers. */
  | { type: 'error-in-200'; code: string }
  /** The provider's answer, with the ETag of other bytes. */
  | { type: 'wrong-etag' }
  /** The connection breaks before the provider hears of the request. */
  | { type: 'drop-before' }
  /** The provider does what it was asked for, and its answer is lost. */
  | { type: 'drop-after' }
  /** The answer's body ends after so many bytes, with the connection. */
  | { type: 'truncate'; bytes: number }
  /** The connection stays open and nothing comes. With `bytes`, nothing after so many of the answer's body. */
  | { type: 'hang'; bytes?: number }
  /** The answer's body comes in pieces of so many bytes, one a millisecond. */
  | { type: 'trickle'; bytes: number }
  /** The request reaches the provider only when `until` resolves. */
  | { type: 'hold'; until: Promise<unknown> };

export interface SeenRequest {
  method: string;
  /** Decoded, without the bucket: "" for the bucket itself. */
  key: string;
  query: URLSearchParams;
}

export interface FaultRule {
  when(seen: SeenRequest): boolean;
  fault: Fault;
  /** How many requests it befalls; default 1. */
  times?: number;
}

/** An HTTP proxy in front of an S3 server that makes chosen requests fail in chosen ways. Signatures stay good: the host is kept. */
export class S3FaultProxy {
  readonly url: string;
  /** All requests so far, in the order in which they came. */
  readonly seen: SeenRequest[] = [];
  readonly #upstream: URL;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  #rules: { rule: FaultRule; left: number }[] = [];
  #running = 0;

  private constructor(server: Server, upstream: string) {
    this.#server = server;
    this.#upstream = new URL(upstream);
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (incoming: IncomingMessage, answer: ServerResponse) => {
      this.#running += 1;
      answer.once('close', () => {
        this.#running -= 1;
      });
      this.#handle(incoming, answer).catch(() => incoming.socket.destroy());
    });
  }

  static async start(upstream: string): Promise<S3FaultProxy> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new S3FaultProxy(server, upstream);
  }

  /** Requests that are neither answered nor broken off. */
  get running(): number {
    return this.#running;
  }

  inject(...rules: FaultRule[]): void {
    this.#rules.push(...rules.map((rule) => ({ rule, left: rule.times ?? 1 })));
  }

  /** Forgets all rules and requests. */
  heal(): void {
    this.#rules = [];
    this.seen.length = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async #handle(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const seen = describe(incoming);
    this.seen.push(seen);
    const match = this.#rules.find(({ rule, left }) => left > 0 && rule.when(seen));
    if (!match) return this.#forward(incoming, answer);
    match.left -= 1;
    const { fault } = match.rule;
    switch (fault.type) {
      case 'error':
        await buffer(incoming);
        answer.writeHead(fault.status, { 'content-type': 'application/xml', ...fault.headers });
        return void answer.end(incoming.method === 'HEAD' ? undefined : errorXml(fault.code));
      case 'error-in-200':
        await buffer(incoming);
        answer.writeHead(200, { 'content-type': 'application/xml' });
        return void answer.end(errorXml(fault.code));
      case 'drop-before':
        return void incoming.socket.resetAndDestroy();
      case 'hang':
        if (fault.bytes !== undefined) break;
        // Read to the end, or nobody here would notice that the client has left.
        return void incoming.resume();
      case 'hold':
        await fault.until;
        break;
      default:
    }
    await this.#forward(incoming, answer, fault);
  }

  async #forward(incoming: IncomingMessage, answer: ServerResponse, fault?: Fault): Promise<void> {
    const { hostname, port } = this.#upstream;
    const { method, url: path, headers } = incoming;
    const outgoing = request({ hostname, port, method, path, headers, agent: this.#agent });
    const left = (): void => void outgoing.destroy();
    answer.once('close', left);
    incoming.pipe(outgoing);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    // What the provider has done stays done, whoever has left.
    response.once('end', () => answer.off('close', left));
    if (fault?.type === 'drop-after') {
      await buffer(response);
      incoming.socket.resetAndDestroy();
      return;
    }
    const changed = fault?.type === 'wrong-etag' ? { etag: `"${'0'.repeat(32)}"` } : {};
    answer.writeHead(response.statusCode ?? 502, { ...response.headers, ...changed });
    if (fault?.type === 'truncate' || fault?.type === 'hang') {
      answer.write((await buffer(response)).subarray(0, fault.bytes));
      // Time for the bytes to leave before the reset would overtake them.
      if (fault.type === 'truncate') setTimeout(() => incoming.socket.destroy(), 20);
    } else if (fault?.type === 'trickle') await trickle(await buffer(response), answer, fault.bytes);
    else response.pipe(answer);
  }
}

async function trickle(body: Buffer, answer: ServerResponse, bytes: number): Promise<void> {
  for (let at = 0; at < body.length && !answer.destroyed; at += bytes) {
    answer.write(body.subarray(at, at + bytes));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  answer.end();
}

function describe(incoming: IncomingMessage): SeenRequest {
  const url = new URL(incoming.url ?? '/', 'http://host');
  const [, , ...key] = url.pathname.split('/');
  return { method: incoming.method ?? '', key: decodeURIComponent(key.join('/')), query: url.searchParams };
}

function errorXml(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>injected</Message></Error>`;
}

/** Requests by what they ask for. */
export const asks = {
  put: ({ method, key, query }: SeenRequest) =>
    method === 'PUT' && !key.startsWith('.carcosa/') && !query.has('uploadId'),
  tail: ({ method, key }: SeenRequest) => method === 'PUT' && key.startsWith('.carcosa/staging/'),
  part: ({ method, query }: SeenRequest) => method === 'PUT' && query.has('partNumber'),
  begin: ({ method, query }: SeenRequest) => method === 'POST' && query.has('uploads'),
  complete: ({ method, query }: SeenRequest) => method === 'POST' && query.has('uploadId'),
  get: ({ method, key, query }: SeenRequest) => method === 'GET' && key !== '' && !query.has('uploadId'),
  head: ({ method }: SeenRequest) => method === 'HEAD',
  list: ({ method, key }: SeenRequest) => method === 'GET' && key === '',
  anything: () => true,
};

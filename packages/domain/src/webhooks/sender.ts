import { CarcosaError, type Clock, noTracing, type Tracing } from '@carcosa/kernel';
import type { AddressGuard } from '@carcosa/kernel/node';
import type { Agent, Dispatcher } from 'undici';
import { signatureHeaders } from './signature.ts';

/** Milliseconds from the first step of connecting to the last byte of the answer. */
export const REQUEST_TIMEOUT_MS = 15_000;
/** Most bytes that are read and kept of an answer. */
export const MAX_RESPONSE_BYTES = 64 * 1024;
/** Most bytes of an answer's headers. */
const MAX_HEADER_BYTES = 16 * 1024;

export interface WebhookRequest {
  url: string;
  /** In clear, the newest first; none: it is not signed. */
  secrets: readonly string[];
  /** Of the event: the same for every attempt. */
  id: string;
  body: string;
  /** Ends it early: then it rejects. */
  signal?: AbortSignal;
}

export interface PostRequest extends Pick<WebhookRequest, 'url' | 'body' | 'signal'> {
  headers: Record<string, string>;
}

/** What became of a request. */
export interface WebhookAnswer {
  /** When it began, in milliseconds since the epoch. */
  at: number;
  durationMs: number;
  requestHeaders: Record<string, string>;
  /** Null where there was no answer. */
  status: number | null;
  responseHeaders: Record<string, string> | null;
  /** The first 64 KiB. */
  responseBody: string | null;
  /** Why it does not count as taken; null for a status of 200 to 299. */
  error: string | null;
}

export interface WebhookSenderOptions {
  guard: AddressGuard;
  clock: Clock;
  version: string;
  /** Absent: nobody traces. */
  tracing?: Tracing;
  timeoutMs?: number;
}

interface Client {
  agent: Agent;
  request: typeof import('undici').request;
}

/**
 * Makes the requests. Follows no redirect, connects to no private address whatever its name says, and gives every request up after 15
 * seconds, also one whose answer never ends.
 */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  /** Made for the first request: most servers have no webhook, and the library is large. */
  #client: Promise<Client> | undefined;
  readonly #timeoutMs: number;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
  }

  /** Never rejects for what the receiver does; only when `signal` ends it. */
  async send({ url, secrets, id, body, signal }: WebhookRequest): Promise<WebhookAnswer> {
    const timestamp = Math.floor(this.#options.clock.now() / 1000);
    const headers = {
      'content-type': 'application/json',
      ...(secrets.length > 0 && signatureHeaders({ id, timestamp, body }, secrets)),
    };
    return await this.post({ url, headers, body, ...(signal ? { signal } : {}) });
  }

  /** As {@link send}, for a body that the caller has signed. */
  async post(request: PostRequest): Promise<WebhookAnswer> {
    const { tracing = noTracing } = this.#options;
    const attributes = { 'http.request.method': 'POST', 'server.address': new URL(request.url).hostname };
    const span = tracing.open('webhook POST', { kind: 'client', attributes });
    try {
      const answer = await span.run(() => this.#post(request, tracing.traceparent()));
      span.set({ 'http.response.status_code': answer.status ?? undefined });
      if (answer.error !== null) span.fail();
      return answer;
    } finally {
      span.end();
    }
  }

  async #post({ url, headers, body, signal }: PostRequest, traceparent: string | undefined): Promise<WebhookAnswer> {
    const at = this.#options.clock.now();
    const began = performance.now();
    const requestHeaders = {
      'user-agent': `Carcosa/${this.#options.version}`,
      ...(traceparent === undefined ? {} : { traceparent }),
      ...headers,
    };
    const answer = await this.#request(url, requestHeaders, body, signal);
    signal?.throwIfAborted();
    return { at, durationMs: Math.round(performance.now() - began), requestHeaders, ...answer };
  }

  async close(): Promise<void> {
    await (await this.#client)?.agent.destroy();
  }

  async #open(): Promise<Client> {
    const { Agent, request } = await import('undici');
    const timeout = this.#timeoutMs;
    const agent = new Agent({
      connect: { lookup: this.#options.guard.lookup, timeout },
      headersTimeout: timeout,
      bodyTimeout: timeout,
      maxHeaderSize: MAX_HEADER_BYTES,
      allowH2: false,
      pipelining: 1,
    });
    return { agent, request };
  }

  async #request(url: string, headers: Record<string, string>, body: string, signal: AbortSignal | undefined) {
    // One signal for both: `AbortSignal.any` costs more than all else here, and holds on to what it was made of.
    const controller = new AbortController();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      controller.abort();
    }, this.#timeoutMs);
    const onAbort = (): void => controller.abort();
    signal?.addEventListener('abort', onAbort);
    try {
      const refusal = this.#options.guard.refusalOf(new URL(url).hostname);
      if (refusal) throw refusal;
      this.#client ??= this.#open();
      const { agent, request } = await this.#client;
      const response = await request(url, {
        ...{ method: 'POST', headers, body, dispatcher: agent },
        signal: controller.signal,
      });
      const { statusCode: status } = response;
      return {
        status,
        responseHeaders: plainHeaders(response.headers),
        // The status was said: whatever becomes of the rest, the receiver has taken it or not.
        responseBody: await readBody(response.body),
        error: status >= 200 && status < 300 ? null : problemOf(status),
      };
    } catch (error) {
      return { status: null, responseHeaders: null, responseBody: null, error: reasonOf(error, isLate) };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

function problemOf(status: number): string {
  return status >= 300 && status < 400 ? `redirects are not followed (${status})` : `the receiver answered ${status}`;
}

/** In words that do not say which address a name has. */
function reasonOf(error: unknown, isLate: boolean): string {
  if (isLate) return 'no answer in time';
  if (error instanceof CarcosaError) return error.message;
  const { code, message, cause } = error as NodeJS.ErrnoException;
  if (cause instanceof CarcosaError) return cause.message;
  return code === undefined ? message : `the request failed (${code})`;
}

async function readBody(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= MAX_RESPONSE_BYTES) break;
    }
  } catch {
    // What came until then is kept.
  }
  // Leaving the loop early has destroyed the rest.
  return storable(Buffer.concat(chunks).subarray(0, MAX_RESPONSE_BYTES).toString('utf8'));
}

function plainHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [storable(name), storable([value ?? ''].flat().join(', '))]),
  );
}

/** PostgreSQL has no NUL in texts. */
const storable = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed();

import { expect } from 'vitest';
import { markSecretsOf } from './run-logs.ts';
import type { ErrorBody } from './wire.ts';

export type RequestBody = NonNullable<RequestInit['body']>;

export interface CallOptions {
  /** Sent as JSON. */
  json?: unknown;
  body?: RequestBody | Uint8Array;
  headers?: Record<string, string>;
  query?: Record<string, string | number | boolean | undefined>;
  /** The API key; `null` sends none. */
  key?: string | null;
  signal?: AbortSignal;
}

export interface Answer<Data> {
  status: number;
  headers: Headers;
  /** Parsed JSON; `undefined` for an empty body. */
  body: unknown;
  /** `data` of a success envelope; reading it from anything else throws. */
  readonly data: Data;
}

export type Api = <Data = unknown>(method: string, path: string, options?: CallOptions) => Promise<Answer<Data>>;

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Calls the API below `/api/v1`, and holds every answer to the envelope of the contract. */
export function createApi(origin: () => { url: string; apiKey: string }): Api {
  return async <Data>(method: string, path: string, options: CallOptions = {}): Promise<Answer<Data>> => {
    const { url, apiKey } = origin();
    const address = new URL(`${url}/api/v1${path}`);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) address.searchParams.append(name, String(value));
    }
    const key = options.key === undefined ? apiKey : options.key;
    const json = options.json === undefined ? undefined : JSON.stringify(options.json);
    if (json !== undefined) markSecretsOf(json);
    const response = await fetch(address, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(options.json === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: json ?? (options.body as RequestBody | undefined) ?? null,
      redirect: 'manual',
      ...(options.signal ? { signal: options.signal } : {}),
      // A stream as body needs it said; harmless otherwise.
      ...(options.body instanceof ReadableStream ? { duplex: 'half' } : {}),
    } as RequestInit);
    return readAnswer<Data>(`${method} ${path}`, response);
  };
}

/** Reads a response and checks that it is a success or an error as the contract has them. */
export async function readAnswer<Data>(what: string, response: Response): Promise<Answer<Data>> {
  const text = await response.text();
  markSecretsOf(text);
  const body: unknown = text === '' ? undefined : parse(what, response.status, text);
  if (body !== undefined) checkEnvelope(what, response, body);
  return {
    status: response.status,
    headers: response.headers,
    body,
    get data(): Data {
      if (response.status >= 300) throw new Error(`${what} answered ${response.status}: ${text.slice(0, 2000)}`);
      return (body as { data: Data }).data;
    },
  };
}

function parse(what: string, status: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${what} answered ${status} with something that is not JSON: ${text.slice(0, 500)}`);
  }
}

function checkEnvelope(what: string, response: Response, body: unknown): void {
  const { status, headers } = response;
  expect(headers.get('content-type'), what).toMatch(/^application\/json\b/);
  if (status < 400) {
    expect(body, `${what}: the success envelope`).toEqual({
      data: expect.anything(),
      success: true,
      timestamp: expect.stringMatching(TIMESTAMP),
    });
    return;
  }
  const { details, ...error } = body as ErrorBody;
  expect(error, `${what}: the error envelope`).toEqual({
    error: expect.stringMatching(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/),
    message: expect.stringMatching(/\S/),
    status,
    timestamp: expect.stringMatching(TIMESTAMP),
    requestId: expect.stringMatching(/\S/),
  });
  expect(error.requestId, `${what}: requestId is what X-Request-Id says`).toBe(headers.get('x-request-id'));
  expect(JSON.stringify(body), `${what}: no stack reaches a client`).not.toMatch(/\bat .*\.[cm]?[jt]s:\d+/);
}

/** Expects a refusal with one of `statuses`, and gives its error body. */
export function expectRefused(answer: Answer<unknown>, ...statuses: number[]): ErrorBody {
  expect(statuses, `answered ${answer.status}: ${JSON.stringify(answer.body)?.slice(0, 500)}`).toContain(answer.status);
  return answer.body as ErrorBody;
}

/** Expects success with exactly `status`, and gives the data. */
export function expectData<Data>(answer: Answer<Data>, status = 200): Data {
  expect(answer.status, JSON.stringify(answer.body)?.slice(0, 2000)).toBe(status);
  return answer.data;
}

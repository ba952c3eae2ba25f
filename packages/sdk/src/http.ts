import { CarcosaError, cancelled, errorOfAnswer, noAnswer } from './errors.ts';
import type { Operations } from './openapi.ts';
import { backoff, type Timing } from './timing.ts';

export type OperationName = keyof Operations;
/** What an operation takes: `path`, `query` and `body`, as far as it has them. */
export type OperationInput<Name extends OperationName> = Omit<Operations[Name], 'data'>;
export type OperationData<Name extends OperationName> = Operations[Name]['data'];
export type QueryOf<Name extends OperationName> = Operations[Name] extends { query?: infer Query }
  ? NonNullable<Query>
  : never;
export type BodyOf<Name extends OperationName> = Operations[Name] extends { body?: infer Body }
  ? NonNullable<Body>
  : never;

export interface CallOptions {
  signal?: AbortSignal | undefined;
  headers?: Record<string, string>;
}

export interface HttpSettings {
  /** Of the server, without a slash at its end. */
  readonly url: string;
  readonly projectId: string | undefined;
  /** The present credential; `refresh` after the last one was refused. */
  readonly credential: (refresh: boolean) => Promise<string | undefined>;
  readonly fetch: typeof fetch;
  readonly timing: Timing;
  /** How often a call that failed in passing is repeated. */
  readonly retries: number;
}

interface RawInput {
  path?: Record<string, string | number>;
  query?: Record<string, unknown>;
  body?: unknown;
}

/** Calls operations by their names in the OpenAPI document. */
export class Http {
  readonly settings: HttpSettings;

  constructor(settings: HttpSettings) {
    this.settings = settings;
  }

  /**
   * Calls an operation and gives the `data` of its answer. What failed in passing is repeated, where repeating cannot do anything twice.
   * @throws CarcosaError
   */
  async call<Name extends OperationName>(
    name: Name,
    input?: OperationInput<Name>,
    options: CallOptions = {},
  ): Promise<OperationData<Name>> {
    const { body } = (input ?? {}) as RawInput;
    const headers = { ...options.headers, ...(body == null ? {} : { 'content-type': 'application/json' }) };
    const content = body == null ? null : JSON.stringify(body);
    const response = await this.send(name, input, { ...options, headers, content });
    const text = await response.text();
    if (text === '') return null as OperationData<Name>;
    try {
      return JSON.parse(text).data;
    } catch (error) {
      throw new CarcosaError('invalid_response', `${name} was not answered with JSON.`, { cause: error });
    }
  }

  /** Calls an operation and gives its answer as it is. @throws CarcosaError for any status above 399 */
  async send<Name extends OperationName>(
    name: Name,
    input?: OperationInput<Name>,
    options: CallOptions & { content?: BodyInit | null } = {},
  ): Promise<Response> {
    const { timing, retries, fetch } = this.settings;
    const method = name.slice(0, name.indexOf(' '));
    const { signal = null } = options;
    const repeatable = method !== 'POST' && method !== 'PATCH';
    let refresh = false;
    for (let attempt = 1; ; attempt++) {
      try {
        const headers = { ...(await this.authorization(refresh)), ...options.headers };
        const request = { method, headers, body: options.content ?? null, signal };
        const response = await fetch(this.address(name, input as RawInput), request).catch((error) => {
          throw noAnswer(error);
        });
        if (response.ok) return response;
        throw errorOfAnswer(response.status, await response.text(), (header) => response.headers.get(header));
      } catch (error) {
        if (signal?.aborted) throw cancelled();
        if (!(error instanceof CarcosaError)) throw error;
        // A refused request did nothing; of one without an answer nobody knows.
        const isSafe = repeatable || error.status === 429 || error.status === 503;
        if (error.status === 401 && !refresh && attempt <= 2) refresh = true;
        else if (!error.retryable || !isSafe || attempt > retries) throw error;
        else await timing.sleep(backoff(attempt, timing, error.retryAfter), signal ?? undefined);
      }
    }
  }

  async authorization(refresh = false): Promise<Record<string, string>> {
    const credential = await this.settings.credential(refresh);
    return credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  }

  /** The address of an operation. */
  address(name: OperationName, { path = {}, query = {} }: RawInput = {}): string {
    const template = name.slice(name.indexOf(' ') + 1);
    const filled = template.replace(/\{(\w+)\}/g, (_, key) => encodeURIComponent(String(path[key])));
    const parameters = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) if (value !== undefined) parameters.set(key, String(value));
    const text = parameters.toString();
    return `${this.settings.url}/api/v1${filled}${text && '?'}${text}`;
  }

  /** A query or body with the project of the client, where the call names none. */
  inProject<Input extends object>(input: Input): Input & { projectId?: string } {
    const { projectId } = this.settings;
    return projectId === undefined ? input : { projectId, ...input };
  }
}

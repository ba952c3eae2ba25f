import { CarcosaError, errorOfAnswer, noAnswer } from '../errors.ts';
import { systemTiming, type Timing } from '../timing.ts';
import { type BytesLine, persist, sendBytes, slice } from './context.ts';
import type { UploadProgress } from './progress.ts';
import { Slots } from './slots.ts';
import { sourceOf, type UploadInput, type UploadSource } from './source.ts';
import { UploadTask } from './task.ts';
import { defaultTransport, type Transport } from './transport.ts';

/** The types of a file router, as `typeof router` gives them: what each route takes and what it answers. */
export type RouterTypes = Record<string, { readonly $types: { readonly input: unknown; readonly output: unknown } }>;
export type RouteInput<Router extends RouterTypes, Slug extends keyof Router> = Router[Slug]['$types']['input'];
export type RouteServerData<Router extends RouterTypes, Slug extends keyof Router> = Router[Slug]['$types']['output'];

/** A file that went through a route of your backend. */
export interface RoutedFile<ServerData = unknown> {
  /** As in its address `/f/{key}`. */
  readonly key: string;
  readonly name: string;
  readonly url: string;
  /** What the route's `onUploadComplete` returned; null where it does not wait for that. */
  readonly serverData: ServerData;
}

/** What a route takes, by family or MIME type, as its backend tells it to browsers. */
export type RouteConfig = Record<
  string,
  { maxFileSize?: string | number; maxFileCount?: number; minFileCount?: number }
>;

export interface RouteClientOptions {
  /** Of the request handler in your backend, such as "/api/upload". */
  url: string;
  fetch?: typeof globalThis.fetch;
  /** Of each request to your backend: a token, perhaps. Cookies of its origin go along anyhow. */
  headers?: () => Record<string, string> | Promise<Record<string, string>>;
  /** Default 3. */
  parallelFiles?: number;
}

export interface RouteUploadOptions<Input> {
  input?: Input;
  onProgress?: (progress: UploadProgress, index: number) => void;
  signal?: AbortSignal;
}

/** Uploads through the routes of a file router: your backend decides, and the bytes go straight to Carcosa. */
export interface RouteClient<Router extends RouterTypes = RouterTypes> {
  /** Begins uploads of these files together: the backend is asked once. */
  upload<Slug extends keyof Router & string>(
    slug: Slug,
    files: readonly UploadInput[],
    options?: RouteUploadOptions<RouteInput<Router, Slug>>,
  ): UploadTask<RoutedFile<RouteServerData<Router, Slug>>>[];
  /** What a route takes; undefined where the backend does not say. */
  config(slug: keyof Router & string): Promise<RouteConfig | undefined>;
}

interface SignedAddress {
  url: string;
  key: string;
  name: string;
}

export function createRouteClient<Router extends RouterTypes = RouterTypes>(
  options: RouteClientOptions,
): RouteClient<Router> {
  const backend = new Backend(options);
  const line = {
    transport: defaultTransport(options.fetch),
    timing: systemTiming,
    slots: new Slots(options.parallelFiles ?? 3),
  };
  return {
    upload: (slug, files, its = {}) => {
      const sources = Promise.all(files.map(sourceOf));
      const addresses = sources.then((all) => backend.sign(slug, all, its.input));
      addresses.catch(() => {});
      return files.map((file, index) => {
        const task = {
          ...{
            source: sources.then((all) => all[index] as UploadSource),
            address: addresses.then((all) => all[index]),
          },
          ...{ name: (file as { name?: string }).name ?? '', signal: its.signal },
          onProgress: (progress: UploadProgress) => its.onProgress?.(progress, index),
        };
        task.address.catch(() => {});
        return routedTask(line, task);
      });
    },
    config: (slug) => backend.config(slug),
  };
}

/** The request handler of a file router. */
class Backend {
  readonly #options: RouteClientOptions;
  #configs: Promise<{ slug: string; config: RouteConfig }[]> | undefined;

  constructor(options: RouteClientOptions) {
    this.#options = options;
  }

  async sign(slug: string, sources: readonly UploadSource[], input: unknown): Promise<SignedAddress[]> {
    const files = sources.map(({ name, size, type, lastModified }) => {
      if (size === null) throw new CarcosaError('invalid_argument', 'A route takes files, no streams.');
      return { name: name || 'file', size, type, lastModified };
    });
    const query = `actionType=upload&slug=${encodeURIComponent(slug)}`;
    const answer = await this.#ask<SignedAddress[]>('POST', query, { files, input });
    if (Array.isArray(answer) && answer.length === files.length) return answer;
    throw new CarcosaError('invalid_response', 'The route did not answer with an address for each file.');
  }

  async config(slug: string): Promise<RouteConfig | undefined> {
    this.#configs ??= this.#ask('GET', '');
    return (await this.#configs.catch(() => [])).find((each) => each.slug === slug)?.config;
  }

  async #ask<Answer>(method: string, query: string, body?: unknown): Promise<Answer> {
    const { url, headers, fetch = globalThis.fetch } = this.#options;
    const address = query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`;
    const all = { 'content-type': 'application/json', 'x-uploadthing-package': '@carcosa/sdk', ...(await headers?.()) };
    const request = { method, headers: all, body: body === undefined ? null : JSON.stringify(body) };
    const response = await fetch(address, request).catch((error) => {
      throw noAnswer(error);
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    throw errorOfBackend(response.status, text);
  }
}

/** Routes refuse in their own words; those of Carcosa have its codes. */
function errorOfBackend(status: number, text: string): CarcosaError {
  const error = errorOfAnswer(status, text, () => null);
  if (error.code !== 'invalid_response') return error;
  try {
    const { message, data } = JSON.parse(text);
    if (typeof message === 'string') return new CarcosaError('route_refused', message, { status, details: data });
  } catch {
    // No JSON: what was read of it says enough.
  }
  return error;
}

interface RoutedUpload {
  source: Promise<UploadSource>;
  address: Promise<SignedAddress | undefined>;
  name: string;
  signal: AbortSignal | undefined;
  onProgress: (progress: UploadProgress) => void;
}

function routedTask<ServerData>(
  { transport, timing, slots }: { transport: Transport; timing: Timing; slots: Slots },
  { source: opening, address: signing, name, signal, onProgress }: RoutedUpload,
): UploadTask<RoutedFile<ServerData>> {
  return new UploadTask({
    ...{ name, timing, slots, signal, onProgress, isPausable: () => true },
    // Who may only upload to an address cannot take it back: what has arrived goes when the address expires.
    discard: async () => {},
    run: async (meter, runSignal) => {
      const source = await opening;
      meter.total = source.size;
      const address = await signing;
      if (!address) throw new CarcosaError('invalid_response', 'The route gave no address for this file.');
      return sendSigned({ transport, timing, meter, signal: runSignal }, source, address);
    },
  });
}

/** PUTs to a signed address from where the server stands; it answers when the route is done with the file. */
async function sendSigned<ServerData>(
  line: BytesLine,
  source: UploadSource,
  { url, key, name }: SignedAddress,
): Promise<RoutedFile<ServerData>> {
  const size = source.size ?? 0;
  let before = -1;
  let moved = false;
  return persist(
    line,
    async () => {
      const offset = await offsetOf(line, url);
      moved = offset > before;
      before = offset;
      line.meter.begin(offset);
      const headers = { range: `bytes=${offset}-`, 'content-type': source.type || 'application/octet-stream' };
      const body = slice(source, offset, size);
      const { text } = await sendBytes(line, { method: 'PUT', url, headers, body }, size - offset);
      const answer = JSON.parse(text);
      return { key, name, url: answer.ufsUrl ?? answer.url, serverData: answer.serverData };
    },
    () => moved,
  );
}

async function offsetOf({ transport, signal }: BytesLine, url: string): Promise<number> {
  const answer = await transport({ method: 'HEAD', url, headers: {}, body: null, signal });
  if (answer.status < 400) return Number(answer.header('x-ut-range-start') ?? 0);
  // HEAD has no words; the PUT that follows will be refused with them.
  if (answer.status < 500) return 0;
  throw errorOfAnswer(answer.status, answer.text, answer.header);
}

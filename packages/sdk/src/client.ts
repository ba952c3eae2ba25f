import { CarcosaError } from './errors.ts';
import { type CallOptions, Http, type OperationData, type OperationInput, type OperationName } from './http.ts';
import type { File, Upload } from './openapi.ts';
import type { Pages } from './pages.ts';
import { Files } from './resources/files.ts';
import { type Resources, resources } from './resources/resources.ts';
import { systemTiming, type Timing } from './timing.ts';
import { type TransformAddress, type TransformOptions, transformUrl } from './transform/url.ts';
import { sourceOf, type UploadInput, type UploadSource } from './upload/source.ts';
import type { UploadTask } from './upload/task.ts';
import { defaultTransport, type Transport } from './upload/transport.ts';
import { type UploadOptions, Uploads } from './upload/uploads.ts';

export interface CarcosaOptions {
  /** Where the server is, such as https://files.example.com. */
  url: string;
  /** `sk_…`: for servers and scripts. Never in a page: who reads it there may do all that it may. */
  apiKey?: string;
  /** A tenant token or an access token. */
  token?: string;
  /** Asks your backend for a token: before the first call, and when the last one was refused. */
  tokenProvider?: () => string | Promise<string>;
  /** Of which project, for a person's token; keys and tenant tokens belong to one. */
  projectId?: string;
  /** Instead of the platform's. Progress of uploads is then told after each request only. */
  fetch?: typeof globalThis.fetch;
  /** Uploads under way at once; default 3. */
  parallelFiles?: number;
  /** Parts of one upload under way at once; default 3. */
  parallelParts?: number;
  /** Hashes what goes up in one request, so that the server can compare it; default true. */
  checksums?: boolean;
  /** How often a call that failed in passing is repeated; default 3. Uploads go on for as long as anything moves. */
  retries?: number;
}

/** What a platform brings along. */
export interface Platform<Input> {
  transport?: Transport;
  openSource?: (input: Input) => Promise<UploadSource>;
  prefersTus?: boolean;
  timing?: Timing;
}

/** A client of one server, with one credential. */
export interface Carcosa<Input = UploadInput> extends Resources {
  readonly uploads: Uploads<Input>;
  readonly files: Files;
  /** Begins an upload; the same as `uploads.upload`. */
  upload(input: Input, options?: UploadOptions): UploadTask<File>;
  /** The same as `uploads.listUnfinished`. */
  listUnfinishedUploads(): Pages<Upload>;
  /** The address of a picture in another size or format. */
  transformUrl(file: TransformAddress, transform?: TransformOptions): string;
  /** The same for a private file, for `expiresIn` seconds; default an hour. */
  signedTransformUrl(file: File, transform?: TransformOptions, expiresIn?: number): Promise<string>;
  /** Any operation of the server, typed by its OpenAPI document: `carcosa.call('GET /auth/me')`. */
  call<Name extends OperationName>(
    name: Name,
    input?: OperationInput<Name>,
    options?: CallOptions,
  ): Promise<OperationData<Name>>;
}

/** @throws CarcosaError `invalid_argument` for a url that is none */
export function createCarcosa(options: CarcosaOptions): Carcosa {
  return createClient<UploadInput>(options, {});
}

/** For packages that bring a platform along, as `@carcosa/sdk/node` does. */
export function createClient<Input>(options: CarcosaOptions, platform: Platform<Input>): Carcosa<Input> {
  const {
    timing = systemTiming,
    openSource = sourceOf,
    prefersTus = false,
    transport = defaultTransport(options.fetch),
  } = platform;
  const url = baseUrl(options.url);
  const http = new Http({
    url,
    projectId: options.projectId,
    credential: credentialOf(options),
    // Some platforms insist on being called as a method of the global object.
    fetch: options.fetch ?? ((...args) => globalThis.fetch(...args)),
    timing,
    retries: options.retries ?? 3,
  });
  const { parallelFiles = 3, parallelParts = 3, checksums: hashes = true } = options;
  const settings = { transport, parallelFiles, parallelParts, hashes, openSource, prefersTus };
  const uploads = new Uploads<Input>(http, settings);
  const files = new Files(http);
  return {
    ...resources(http),
    uploads,
    files,
    upload: (input, its) => uploads.upload(input, its),
    listUnfinishedUploads: () => uploads.listUnfinished(),
    transformUrl: (file, transform) => transformUrl({ url, projectId: projectOf(file, options), file, transform }),
    async signedTransformUrl(file, transform, expiresIn = 3600) {
      const { version } = file;
      const sign = { expiresIn, ...(version > 1 ? { version } : {}) };
      const signed = new URL((await files.signedUrl(file.id, sign)).url);
      // The signed address names the version itself.
      const plain = { ...file, version: 1 };
      const address = new URL(transformUrl({ url, projectId: projectOf(file, options), file: plain, transform }));
      for (const [name, value] of signed.searchParams) address.searchParams.set(name, value);
      return address.href;
    },
    call: (name, input, its) => http.call(name, input, its),
  };
}

function baseUrl(text: string): string {
  try {
    return new URL(text).href.replace(/\/+$/, '');
  } catch {
    throw new CarcosaError('invalid_argument', `url must be the address of a Carcosa server, not "${text}".`);
  }
}

function projectOf(file: TransformAddress, { projectId }: CarcosaOptions): string {
  const own = (typeof file === 'object' && file.projectId) || projectId;
  if (!own) throw new CarcosaError('invalid_argument', 'Say whose pictures these are: createCarcosa({ projectId }).');
  return own;
}

function credentialOf({
  apiKey,
  token,
  tokenProvider,
}: CarcosaOptions): (refresh: boolean) => Promise<string | undefined> {
  let asked: Promise<string> | undefined;
  return async (refresh) => {
    if (!tokenProvider) return apiKey ?? token;
    if (refresh) asked = undefined;
    asked ??= Promise.resolve(tokenProvider()).catch((error) => {
      asked = undefined;
      throw error;
    });
    return asked;
  };
}

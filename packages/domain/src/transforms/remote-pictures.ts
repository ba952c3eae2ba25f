import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CarcosaError } from '@carcosa/kernel';
import type { AddressGuard } from '@carcosa/kernel/node';
import { SNIFF_BYTES, sniffContentType } from '@carcosa/media';
import { formatOf, unreadableType } from './negotiate.ts';

/** Bytes of a picture from elsewhere, at most. */
export const MAX_REMOTE_BYTES = 32 * 1024 * 1024;
/** Milliseconds that fetching it may take, redirects included. */
const FETCH_MS = 5_000;
const MAX_REDIRECTS = 3;

export interface RemotePicturesOptions {
  readonly guard: AddressGuard;
  readonly version: string;
}

/** Fetches pictures from the hosts that a project allows, and from no private network whatever their names lead to. */
export class RemotePictures {
  readonly #agents: ReturnType<AddressGuard['agents']>;
  readonly #version: string;

  constructor({ guard, version }: RemotePicturesOptions) {
    this.#agents = guard.agents({ keepAlive: false });
    this.#version = version;
  }

  /** @throws CarcosaError `transform_not_allowed` for a host that is not on the list, `invalid_request` for what is no address */
  assertAllowed(address: string, hosts: readonly string[]): URL {
    const url = URL.parse(address);
    const isPlain = url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
    if (!isPlain || address.length > 2048) {
      const message =
        '"url" must be an http or https address of at most 2,048 characters, without user name or password.';
      throw new CarcosaError('invalid_request', { message });
    }
    if (hosts.some((host) => matches(host, url))) return url;
    const message = `The project does not allow pictures from ${url.host}; its setting transformHosts lists those that it does.`;
    throw new CarcosaError('transform_not_allowed', { message });
  }

  /**
   * Fetches a picture into a new file. The bytes decide what it is.
   * @throws CarcosaError `transform_not_allowed`, `remote_unavailable`, `image_too_large`, `unsupported_media_type`
   */
  async fetch(address: string, hosts: readonly string[], target: string): Promise<void> {
    const signal = AbortSignal.timeout(FETCH_MS);
    try {
      const response = await this.#get(this.assertAllowed(address, hosts), hosts, signal);
      await pipeline(response, limited(), createWriteStream(target, { flags: 'wx' }), { signal });
    } catch (error) {
      throw asOurs(error, signal.aborted);
    }
    const contentType = await typeOf(target);
    if (formatOf(contentType) === null)
      throw new CarcosaError('unsupported_media_type', { message: unreadableType(contentType) });
  }

  async #get(from: URL, hosts: readonly string[], signal: AbortSignal): Promise<IncomingMessage> {
    let url = from;
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await this.#request(url, signal);
      const { statusCode = 0, headers } = response;
      if (statusCode === 200) return response;
      response.destroy();
      if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined)
        throw new CarcosaError('remote_unavailable', { message: `The address of the picture answered ${statusCode}.` });
      // Each hop is held to the same list, and each connection to the guard.
      url = this.assertAllowed(URL.parse(headers.location, url.href)?.href ?? '', hosts);
    }
    throw new CarcosaError('remote_unavailable', {
      message: `The picture is behind more than ${MAX_REDIRECTS} redirects.`,
    });
  }

  #request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    const isSecure = url.protocol === 'https:';
    const options = {
      signal,
      agent: isSecure ? this.#agents.https : this.#agents.http,
      headers: { accept: 'image/*', 'user-agent': `Carcosa/${this.#version}` },
    };
    return new Promise((resolve, reject) => {
      (isSecure ? requestHttps : requestHttp)(url, options, resolve).on('error', reject).end();
    });
  }
}

/** `*.` stands for one name or more; without a port the usual one is meant. */
function matches(pattern: string, { hostname, host, port }: URL): boolean {
  const name = pattern.includes(':') ? host : port === '' ? hostname : null;
  if (name === null) return false;
  return pattern.startsWith('*.')
    ? name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1
    : name === pattern;
}

function limited(): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= MAX_REMOTE_BYTES) return done(null, chunk);
      const message = `The picture has more than ${MAX_REMOTE_BYTES} bytes.`;
      done(new CarcosaError('image_too_large', { message, details: { maxBytes: MAX_REMOTE_BYTES } }));
    },
  });
}

async function typeOf(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, 0);
    return await sniffContentType(buffer.subarray(0, bytesRead), null);
  } finally {
    await handle.close();
  }
}

/** In words that do not say which address a name has. */
function asOurs(error: unknown, isLate: boolean): unknown {
  if (error instanceof CarcosaError) return error;
  const { code, cause } = error as NodeJS.ErrnoException & { cause?: unknown };
  if (cause instanceof CarcosaError) return cause;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new CarcosaError('storage_full', { cause: error });
  const message = isLate
    ? `The picture did not come within ${FETCH_MS / 1000} seconds.`
    : 'The server of the picture cannot be reached.';
  return new CarcosaError('remote_unavailable', { message, cause: error });
}

import { type CarcosaError, cancelled, noAnswer } from '../errors.ts';
import type { UploadBody } from './source.ts';

export interface TransportRequest {
  method: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  body: UploadBody | null;
  signal: AbortSignal;
  /** Bytes of the body that have gone out so far, where the platform tells. */
  onProgress?: ((bytes: number) => void) | undefined;
}

export interface TransportAnswer {
  status: number;
  header(name: string): string | null;
  text: string;
}

/** Sends bytes. Rejects with `network_error` where no answer came, and with `cancelled` by the signal. */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

/** Nothing moved for so long: the connection is taken for dead. */
export const STALL_MS = 60_000;

/** `fetch` cannot tell how much of a body went out, so browsers and React Native use XMLHttpRequest. */
export function defaultTransport(fetch: typeof globalThis.fetch | undefined): Transport {
  return fetch === undefined && typeof XMLHttpRequest !== 'undefined'
    ? xhrTransport
    : fetchTransport(fetch ?? globalThis.fetch);
}

const fetchTransport =
  (fetch: typeof globalThis.fetch): Transport =>
  async ({ method, url, headers, body, signal, onProgress }) => {
    try {
      const response = await fetch(url, { method, headers, body: body as BodyInit | null, signal });
      const text = await response.text();
      if (body) onProgress?.(body instanceof Blob ? body.size : (body as Uint8Array).byteLength);
      return { status: response.status, header: (name) => response.headers.get(name), text };
    } catch (error) {
      throw signal.aborted ? cancelled() : noAnswer(error);
    }
  };

const xhrTransport: Transport = ({ method, url, headers, body, signal, onProgress }) =>
  new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled());
    const request = new XMLHttpRequest();
    let stall: ReturnType<typeof setTimeout>;
    const alive = (): void => {
      clearTimeout(stall);
      stall = setTimeout(() => fail(noAnswer('nothing moved for a minute')), STALL_MS);
    };
    const abort = (): void => fail(cancelled());
    const settle = (): void => {
      clearTimeout(stall);
      signal.removeEventListener('abort', abort);
    };
    const fail = (error: CarcosaError): void => {
      settle();
      reject(error);
      request.abort();
    };
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => {
      alive();
      onProgress?.(loaded);
    };
    request.onload = () => {
      settle();
      const header = (name: string): string | null => request.getResponseHeader(name);
      resolve({ status: request.status, header, text: request.responseText });
    };
    request.onerror = () => fail(noAnswer('the connection was lost or refused'));
    signal.addEventListener('abort', abort);
    alive();
    request.send(body as Blob | Uint8Array<ArrayBuffer> | null);
  });

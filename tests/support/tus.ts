import type { Server } from './server.ts';

/** tus 1.0.0 by hand: https://tus.io/protocols/resumable-upload */
export interface TusAnswer {
  status: number;
  headers: Headers;
  text: string;
}

export interface TusRequest {
  headers?: Record<string, string>;
  body?: Uint8Array | undefined;
  /** `null` leaves the header out. */
  version?: string | null;
  key?: string | null;
  signal?: AbortSignal;
}

/** Any request of the protocol; `address` absolute or below the server. */
export async function tus(
  server: Server,
  method: string,
  address: string,
  request: TusRequest = {},
): Promise<TusAnswer> {
  const { version = '1.0.0', key = server.apiKey, body } = request;
  const response = await fetch(new URL(address, server.url), {
    method,
    redirect: 'manual',
    headers: {
      ...(version === null ? {} : { 'tus-resumable': version }),
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...request.headers,
    },
    ...(body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }),
    ...(request.signal ? { signal: request.signal } : {}),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export const TUS = '/api/v1/tus';
export const OFFSET_STREAM = 'application/offset+octet-stream';

/** `Upload-Metadata`: each value in base64 of its UTF-8. */
export const tusMetadata = (pairs: Record<string, string>): string =>
  Object.entries(pairs)
    .map(([name, value]) => (value === '' ? name : `${name} ${Buffer.from(value).toString('base64')}`))
    .join(',');

/** Creates an upload and gives its address; throws unless 201. */
export async function tusCreate(
  server: Server,
  length: number | null,
  metadata: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<string> {
  const answer = await tus(server, 'POST', TUS, {
    headers: {
      ...(length === null ? { 'upload-defer-length': '1' } : { 'upload-length': String(length) }),
      ...(Object.keys(metadata).length === 0 ? {} : { 'upload-metadata': tusMetadata(metadata) }),
      ...headers,
    },
  });
  const location = answer.headers.get('location');
  if (answer.status !== 201 || !location) throw new Error(`creation answered ${answer.status}: ${answer.text}`);
  // RFC 9110: a Location may be relative to the request's own address.
  return new URL(location, new URL(TUS, server.url)).href;
}

export const tusPatch = (
  server: Server,
  address: string,
  offset: number,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<TusAnswer> =>
  tus(server, 'PATCH', address, {
    headers: { 'upload-offset': String(offset), 'content-type': OFFSET_STREAM, ...headers },
    body,
  });

/** The offset that the server tells; throws unless the upload is there. */
export async function tusOffset(server: Server, address: string): Promise<number> {
  const answer = await tus(server, 'HEAD', address);
  const offset = answer.headers.get('upload-offset');
  if (answer.status !== 200 || offset === null) throw new Error(`HEAD answered ${answer.status}`);
  return Number(offset);
}

/** A whole upload in one PATCH; gives the id of the file. */
export async function tusUpload(server: Server, bytes: Uint8Array, metadata: Record<string, string>): Promise<string> {
  const address = await tusCreate(server, bytes.length, metadata);
  const answer = await tusPatch(server, address, 0, bytes);
  const id = answer.headers.get('carcosa-file-id');
  if (answer.status !== 204 || !id) throw new Error(`PATCH answered ${answer.status}: ${answer.text}`);
  return id;
}

import type { Answer } from './api.ts';
import { concurrently } from './concurrently.ts';
import type { Server } from './server.ts';
import type { FileInfo, InitResult, SignedPart } from './wire.ts';

export interface InitRequest {
  fileName: string;
  size: number;
  contentType?: string;
  path?: string;
  checksum?: string;
  visibility?: string;
  metadata?: unknown;
}

export const initUpload = (
  server: Server,
  json: InitRequest,
  headers: Record<string, string> = {},
): Promise<Answer<InitResult>> => server.api<InitResult>('POST', '/uploads/init', { json, headers });

export const signParts = (
  server: Server,
  uploadId: string,
  partNumbers: unknown,
): Promise<Answer<{ parts: SignedPart[] }>> =>
  server.api<{ parts: SignedPart[] }>('POST', `/uploads/${uploadId}/parts`, { json: { partNumbers } });

export const completeUpload = (
  server: Server,
  uploadId: string,
  parts?: { partNumber: number; etag: string }[],
): Promise<Answer<FileInfo>> =>
  server.api<FileInfo>('POST', `/uploads/${uploadId}/complete`, { json: parts === undefined ? {} : { parts } });

/** The headers to send, without the two that a client computes itself and refuses to be told. */
export const sendable = (headers: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !/^(host|content-length)$/i.test(name)));

/** Sends bytes to a presigned address with exactly the headers it came with. */
export async function putSigned(
  address: string,
  bytes: Uint8Array,
  headers: Record<string, string> = {},
  method = 'PUT',
): Promise<{ status: number; etag: string; text: string }> {
  const response = await fetch(address, {
    method,
    headers: sendable(headers),
    body: method === 'GET' || method === 'HEAD' ? null : (bytes as NonNullable<RequestInit['body']>),
    redirect: 'manual',
  });
  return { status: response.status, etag: response.headers.get('etag') ?? '', text: await response.text() };
}

export interface Multipart extends InitResult {
  strategy: 'multipart';
  partSize: number;
  partCount: number;
}

/** The bytes of one part. */
export const partOf = (upload: { partSize: number }, bytes: Uint8Array, partNumber: number): Uint8Array =>
  bytes.subarray((partNumber - 1) * upload.partSize, partNumber * upload.partSize);

const KNOWN_PART_SIZES = new WeakMap<Server, number>();

/** A size that makes an upload of three parts, the last of them short. */
export async function threePartSize(server: Server): Promise<number> {
  const known = KNOWN_PART_SIZES.get(server);
  const partSize = known ?? (await learnPartSize(server));
  KNOWN_PART_SIZES.set(server, partSize);
  return partSize * 2 + Math.ceil(partSize / 3);
}

async function learnPartSize(server: Server): Promise<number> {
  for (let size = 8 * 2 ** 20; size <= 2 ** 30; size *= 2) {
    const init = (await initUpload(server, { fileName: 'probe.bin', size })).data;
    await server.api('DELETE', `/uploads/${init.uploadId}`);
    if (init.strategy === 'multipart' && init.partSize) return init.partSize;
  }
  throw new Error('no size up to 1 GiB is uploaded in parts');
}

/** Begins an upload that must be of several parts. */
export async function initMultipart(server: Server, request: InitRequest): Promise<Multipart> {
  const init = (await initUpload(server, request)).data;
  if (init.strategy !== 'multipart') throw new Error(`${request.size} bytes are to be sent at once`);
  return init as Multipart;
}

/** Signs and sends the named parts, `width` at a time; gives number and ETag of each. */
export async function sendParts(
  server: Server,
  upload: Multipart,
  bytes: Uint8Array,
  partNumbers: number[] = Array.from({ length: upload.partCount }, (_, index) => index + 1),
  width = 4,
): Promise<{ partNumber: number; etag: string }[]> {
  const { parts } = (await signParts(server, upload.uploadId, partNumbers)).data;
  return concurrently(parts, width, async ({ partNumber, url, headers }) => {
    const sent = await putSigned(url, partOf(upload, bytes, partNumber), headers);
    if (sent.status !== 200) throw new Error(`part ${partNumber} answered ${sent.status}: ${sent.text}`);
    return { partNumber, etag: sent.etag };
  });
}

/** A whole direct upload, in one piece or in parts as the server says. */
export async function directUpload(
  server: Server,
  bytes: Uint8Array,
  request: Partial<InitRequest> = {},
): Promise<FileInfo> {
  const init = (await initUpload(server, { fileName: 'direct.bin', ...request, size: bytes.length })).data;
  if (init.strategy === 'multipart') {
    const parts = await sendParts(server, init as Multipart, bytes);
    return (await completeUpload(server, init.uploadId, parts)).data;
  }
  const sent = await putSigned(init.url as string, bytes, init.headers);
  if (sent.status !== 200) throw new Error(`the presigned PUT answered ${sent.status}: ${sent.text}`);
  return (await completeUpload(server, init.uploadId)).data;
}

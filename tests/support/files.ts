import { expect } from 'vitest';
import type { Answer, CallOptions } from './api.ts';
import { sha256 } from './random.ts';
import type { Server } from './server.ts';
import type { FileInfo, FileVersion, Page } from './wire.ts';

export interface UploadOptions {
  path?: string;
  contentType?: string;
  visibility?: 'public' | 'private';
  metadata?: unknown;
  headers?: Record<string, string>;
  key?: string | null;
}

/** `POST /files` with the bytes as the body. */
export function postRaw(
  server: Server,
  bytes: Uint8Array | string,
  options: UploadOptions = {},
): Promise<Answer<FileInfo>> {
  const { path, visibility, metadata } = options;
  return server.api<FileInfo>('POST', '/files', {
    body: typeof bytes === 'string' ? Buffer.from(bytes) : bytes,
    query: { path, visibility, metadata: metadata === undefined ? undefined : JSON.stringify(metadata) },
    headers: { 'content-type': options.contentType ?? 'application/octet-stream', ...options.headers },
    ...(options.key === undefined ? {} : { key: options.key }),
  });
}

/** `POST /files` as a browser's form does it; the fields stand before the file. */
export function postForm(
  server: Server,
  bytes: Uint8Array | string,
  options: UploadOptions & { fileName?: string } = {},
): Promise<Answer<FileInfo>> {
  const form = new FormData();
  if (options.path !== undefined) form.append('path', options.path);
  if (options.visibility !== undefined) form.append('visibility', options.visibility);
  if (options.metadata !== undefined) {
    form.append('metadata', typeof options.metadata === 'string' ? options.metadata : JSON.stringify(options.metadata));
  }
  const blob = new Blob([Buffer.from(bytes as string)], { type: options.contentType ?? 'application/octet-stream' });
  form.append('file', blob, options.fileName ?? 'upload.bin');
  const call: CallOptions = { body: form, headers: options.headers ?? {} };
  return server.api<FileInfo>('POST', '/files', options.key === undefined ? call : { ...call, key: options.key });
}

/** Uploads and expects 201. */
export async function put(server: Server, bytes: Uint8Array | string, options: UploadOptions = {}): Promise<FileInfo> {
  const answer = await postRaw(server, bytes, options);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.data;
}

export interface Served {
  status: number;
  headers: Headers;
  bytes: Buffer;
}

/** Fetches an address of the server (absolute or not), without a key. */
export async function serve(server: Server, address: string, init?: RequestInit): Promise<Served> {
  const response = await server.request(address, init);
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

/** The content of a file by the API, whatever its visibility. */
export async function download(server: Server, id: string): Promise<Served> {
  const first = await server.request(`/api/v1/files/${id}/download`, {
    headers: { authorization: `Bearer ${server.apiKey}` },
  });
  // A redirect to a signed address is a download too.
  const location = first.headers.get('location');
  if (first.status >= 300 && first.status < 400 && location) return serve(server, location);
  return { status: first.status, headers: first.headers, bytes: Buffer.from(await first.arrayBuffer()) };
}

/** Expects the bytes to be the same; compares digests, so that a failure is readable. */
export function expectSame(actual: Uint8Array, expected: Uint8Array, what = 'content'): void {
  expect({ length: actual.length, sha256: sha256(actual) }, what).toEqual({
    length: expected.length,
    sha256: sha256(expected),
  });
}

/** Expects that `file` says of itself, and serves, exactly `bytes`. */
export async function expectIntact(server: Server, file: FileInfo, bytes: Uint8Array): Promise<void> {
  expect(file.size, file.path).toBe(bytes.length);
  if (file.sha256 !== null) expect(file.sha256, file.path).toBe(sha256(bytes));
  const served = await download(server, file.id);
  expect(served.status, file.path).toBe(200);
  expectSame(served.bytes, bytes, file.path);
}

/** All pages of `GET /files`, at most `limit` a page. */
export async function listAll(
  server: Server,
  query: Record<string, string | number | boolean> = {},
): Promise<FileInfo[]> {
  const items: FileInfo[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<FileInfo> = (
      await server.api<Page<FileInfo>>('GET', '/files', {
        query: { limit: 1000, ...query, ...(cursor ? { cursor } : {}) },
      })
    ).data;
    items.push(...page.items);
    expect(page.hasMore, 'hasMore says whether there is a nextCursor').toBe(page.nextCursor !== null);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

/** The file at exactly `path`, by the list. */
export async function findByPath(server: Server, path: string): Promise<FileInfo | undefined> {
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
  return (await listAll(server, { folder })).find((file) => file.path === path);
}

export async function versionsOf(server: Server, id: string): Promise<FileVersion[]> {
  const data = (await server.api<Page<FileVersion>>('GET', `/files/${id}/versions`)).data;
  return [...data.items].sort((a, b) => a.version - b.version);
}

/** The fields of the contract and their kinds; two more than it names are known and allowed. */
export function expectFileShape(file: FileInfo): void {
  const { uploadedBy: _uploadedBy, deletedAt: _deletedAt, ...named } = file as FileInfo & Record<string, unknown>;
  const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  expect({ ...named, declaredContentType: null, sha256: null, md5: null, tenantId: null }).toEqual({
    id: expect.stringMatching(/^file_[A-Za-z0-9]+$/),
    key: expect.stringMatching(/^[A-Za-z0-9_-]{16,}$/),
    name: expect.any(String),
    path: expect.any(String),
    size: expect.any(Number),
    contentType: expect.stringMatching(/^[\w.+-]+\/[\w.+-]+/),
    declaredContentType: null,
    sha256: null,
    md5: null,
    visibility: expect.stringMatching(/^(public|private)$/),
    version: expect.any(Number),
    url: expect.stringContaining(`/f/${file.key}`),
    metadata: expect.any(Object),
    tags: expect.any(Array),
    tenantId: null,
    bucketId: expect.any(String),
    createdAt: instant,
    updatedAt: instant,
  });
  for (const field of ['declaredContentType', 'sha256', 'md5', 'tenantId'] as const) {
    expect(file[field] === null || typeof file[field] === 'string', `${field} is a string or null`).toBe(true);
  }
  if (file.sha256) expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
  if (file.md5) expect(file.md5).toMatch(/^[0-9a-f]{32}$/);
  expect(file.name).toBe(file.path.split('/').at(-1));
}

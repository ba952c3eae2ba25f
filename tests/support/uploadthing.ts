import { createHmac, randomBytes } from 'node:crypto';
import type { Server } from './server.ts';

/** As the SDK of UploadThing signs an address: values encoded twice. */
export interface SignedFile {
  key?: string;
  name?: string;
  size: number;
  type?: string;
  slug?: string;
  customId?: string;
  acl?: string;
  /** Seconds from now; default 3600. */
  expiresIn?: number;
  /** How many times values are encoded: the recipe in the documentation says once. */
  encoded?: 1 | 2;
  /** What a file router of ours adds. */
  route?: object;
  /** Another key than the server's own, or another project. */
  apiKey?: string;
  appId?: string;
}

export const newKey = (): string => randomBytes(40).toString('hex').slice(0, 48);

export const hmac = (key: string, text: string): string =>
  `hmac-sha256=${createHmac('sha256', key).update(text).digest('hex')}`;

/** A signed address to upload to, and its key. */
export function signUpload(server: Server, file: SignedFile): { key: string; url: string } {
  const key = file.key ?? newKey();
  const address = new URL(`${server.url}/uploadthing/ingest/${key}`);
  address.searchParams.append('expires', String(Date.now() + (file.expiresIn ?? 3600) * 1000));
  const values = {
    'x-ut-identifier': file.appId ?? server.projectId,
    'x-ut-file-name': file.name ?? 'file.txt',
    'x-ut-file-size': String(file.size),
    'x-ut-file-type': file.type,
    'x-ut-slug': file.slug,
    'x-ut-custom-id': file.customId,
    'x-ut-acl': file.acl,
    'x-carcosa-route': file.route && JSON.stringify(file.route),
  };
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) address.searchParams.append(name, file.encoded === 1 ? value : encodeURIComponent(value));
  }
  const signature = hmac(file.apiKey ?? server.apiKey, address.href);
  address.searchParams.append('signature', signature);
  return { key, url: address.href };
}

/** The address of a private file, as `UTApi.generateSignedURL` makes it. */
export function signDownload(server: Server, path: string, expires = Date.now() + 60_000): string {
  const address = new URL(server.url + path);
  address.searchParams.append('expires', String(expires));
  address.searchParams.append('signature', hmac(server.apiKey, address.href));
  return address.href;
}

export interface IngestAnswer {
  status: number;
  body: {
    url: string;
    appUrl: string;
    ufsUrl: string;
    fileHash: string;
    serverData: unknown;
    error?: string;
    message?: string;
    details?: Record<string, unknown>;
  };
}

/** Sends bytes from `start` on, as a browser does: a form with the one part `file`. */
export async function putFile(
  url: string,
  content: Uint8Array | string,
  { start = 0, type, signal }: { start?: number; type?: string; signal?: AbortSignal } = {},
): Promise<IngestAnswer> {
  const form = new FormData();
  form.append('file', new Blob([content as BlobPart], type === undefined ? {} : { type }), 'file');
  const response = await fetch(url, {
    method: 'PUT',
    headers: { range: `bytes=${start}-` },
    body: form,
    ...(signal ? { signal } : {}),
  });
  return { status: response.status, body: (await response.json()) as IngestAnswer['body'] };
}

/** How many bytes the server has. */
export async function rangeStart(url: string): Promise<{ status: number; start: string | null }> {
  const response = await fetch(url, { method: 'HEAD' });
  return { status: response.status, start: response.headers.get('x-ut-range-start') };
}

/** A request of an app's back end. */
export async function ask<Answer = Record<string, unknown>>(
  server: Server,
  path: string,
  body: unknown,
  key: string | null = server.apiKey,
): Promise<{ status: number; body: Answer }> {
  const response = await fetch(`${server.url}/uploadthing${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === null ? {} : { 'x-uploadthing-api-key': key }) },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer };
}

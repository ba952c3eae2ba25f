import type { File } from '../openapi.ts';
import { fileOf, persist, sendBytes, slice, type UploadRun } from './context.ts';

/** The whole file in one request: `POST /files`. A repeated request is the same upload, by its Idempotency-Key. */
export async function uploadSimply(run: UploadRun): Promise<File> {
  const { http, source, target, memory, meter } = run;
  const size = source.size ?? 0;
  const { metadata, contentType, fileName = source.name, ...rest } = target;
  const type = contentType || source.type || 'application/octet-stream';
  const named = fileName === '' ? {} : { fileName };
  const query = { ...rest, ...named, ...(metadata ? { metadata: JSON.stringify(metadata) } : {}) };
  const url = http.address('POST /files', { query: http.inProject(query) });
  const checksum = run.checksum?.slice('sha256:'.length) ?? (await contentHash(run));
  meter.begin(0);
  return persist(run, async () => {
    const headers = {
      ...(await http.authorization()),
      'content-type': type,
      'idempotency-key': memory.idempotencyKey,
      ...(checksum === undefined ? {} : { 'x-checksum-sha256': checksum }),
    };
    return fileOf<File>(await sendBytes(run, { method: 'POST', url, headers, body: slice(source, 0, size) }, size));
  });
}

/** SHA-256 in hex, where the platform has it: browsers keep it from pages that came without TLS. */
async function contentHash({ source, hashes }: UploadRun): Promise<string | undefined> {
  if (!hashes || !source.read || !globalThis.crypto?.subtle) return undefined;
  const bytes = await source.read(0, source.size ?? 0);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

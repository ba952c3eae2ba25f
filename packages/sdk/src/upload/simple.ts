import { isCarcosaError } from '../errors.ts';
import type { File } from '../openapi.ts';
import { fileOf, persist, sendBytes, slice, type UploadRun } from './context.ts';
import type { UploadBody } from './source.ts';

/**
 * The whole file in one request: `POST /files`. Where an answer is lost, the file at its path tells by its content whether the request was
 * served; where there is no path or hash to know it by, an Idempotency-Key makes the repeated request the same one. That costs the server as
 * much again as a small file does.
 */
export async function uploadSimply(run: UploadRun): Promise<File> {
  const { http, source, target, memory, meter } = run;
  const size = source.size ?? 0;
  const { metadata, contentType, ...described } = target;
  const rest = described.path === undefined && source.name ? { fileName: source.name, ...described } : described;
  const type = contentType || source.type || 'application/octet-stream';
  const query = { ...rest, ...(metadata ? { metadata: JSON.stringify(metadata) } : {}) };
  const url = http.address('POST /files', { query: http.inProject(query) });
  const { body, hash } = await contentOf(run, size);
  const checksum = run.checksum?.slice('sha256:'.length) ?? hash;
  const isKnown = checksum !== undefined && target.path !== undefined;
  let isRepeated = memory.isDoubtful ?? false;
  meter.begin(0);
  return persist(run, async () => {
    const stored = isRepeated && isKnown ? await findStored(run, checksum) : undefined;
    if (stored) return stored;
    isRepeated = true;
    memory.isDoubtful = true;
    const headers = {
      ...(await http.authorization()),
      'content-type': type,
      ...(isKnown ? {} : { 'idempotency-key': memory.idempotencyKey }),
      ...(checksum === undefined ? {} : { 'x-checksum-sha256': checksum }),
    };
    return fileOf<File>(await sendBytes(run, { method: 'POST', url, headers, body }, size));
  });
}

/** The file as an earlier attempt made it, if one did; a credential that may not look has to send again. */
async function findStored({ http, target, signal }: UploadRun, sha256: string): Promise<File | undefined> {
  const { path = '', metadata = {}, visibility, tenantId, projectId } = target;
  const folder = path.split('/').slice(0, -1).join('/');
  const name = path.split('/').pop() as string;
  const place = { ...(tenantId ? { tenantId } : {}), ...(projectId ? { projectId } : {}) };
  // A search finds parts of names, up to 200 characters.
  const query = http.inProject({ folder, q: name.slice(0, 200), limit: 1000, ...place });
  const { items } = await http.call('GET /files', { query }, { signal }).catch((error) => {
    if (isCarcosaError(error, 'forbidden') || isCarcosaError(error, 'not_found')) return { items: [] };
    throw error;
  });
  return items.find(
    (file) =>
      file.path === path &&
      file.sha256 === sha256 &&
      (visibility === undefined || file.visibility === visibility) &&
      JSON.stringify(file.metadata) === JSON.stringify(metadata),
  );
}

/** What is sent, and its SHA-256 in hex where the platform has that: browsers keep it from pages that came without TLS. */
async function contentOf({ source, hashes }: UploadRun, size: number): Promise<{ body: UploadBody; hash?: string }> {
  if (!hashes || !source.read || !globalThis.crypto?.subtle) return { body: slice(source, 0, size) };
  // Read once: what is hashed is what is sent.
  const body = await source.read(0, size);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  return { body, hash: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('') };
}

import { createHash } from 'node:crypto';
import { splitPath } from '@carcosa/contracts';
import type { UploadRow } from '@carcosa/database';
import { SNIFF_BYTES, sniffContentType } from '@carcosa/media';
import type { ObjectStat, ObjectStore } from '@carcosa/storage/port';
import type { ContentFacts } from './upload-completion.ts';

/** SHA-256 in hex of an object, by reading it once. */
export async function hashObject(store: ObjectStore, key: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of await store.read(key)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** What the first bytes of an object say that it is. */
export async function sniffObject(store: ObjectStore, upload: UploadRow, size: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  if (size > 0) {
    const range = { start: 0, end: Math.min(SNIFF_BYTES, size) - 1 };
    for await (const chunk of await store.read(upload.storageKey, { range })) chunks.push(chunk as Uint8Array);
  }
  return sniffContentType(Buffer.concat(chunks), upload.declaredContentType, splitPath(upload.path).name);
}

/** The facts of bytes that were committed before a crash could tell the database. */
export async function factsOfCommitted(store: ObjectStore, upload: UploadRow, stat: ObjectStat): Promise<ContentFacts> {
  const [sha256, contentType] = await Promise.all([
    stat.sha256 ?? hashObject(store, upload.storageKey),
    sniffObject(store, upload, stat.size),
  ]);
  return { size: stat.size, contentType, sha256 };
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';
import { until } from './clock.ts';
import { concurrently } from './concurrently.ts';
import { listAll, versionsOf } from './files.ts';
import type { Server } from './server.ts';
import type { Page, UploadStatus } from './wire.ts';

/** Runs the collection that the server otherwise runs by itself from time to time. */
export async function collect(server: Server): Promise<void> {
  const answer = await server.api('POST', '/uploads/collect');
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
}

interface StoredFile {
  path: string;
  size: number;
}

/** All files of the local bucket: those that have their final name, and those under way. */
export async function bucketFiles(server: Server): Promise<{ objects: StoredFile[]; staged: StoredFile[] }> {
  const root = path.join(server.dataDir, 'buckets');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const files = await Promise.all(names.map(async (name) => ({ path: name, size: (await stat(name)).size })));
  // Beside them lies the journal, which holds copies of what is in `objects`.
  const isIn = (folder: string, { path: name }: StoredFile): boolean =>
    path.relative(root, name).split(path.sep)[1] === folder;
  return {
    objects: files.filter((file) => isIn('objects', file)),
    staged: files.filter((file) => isIn('staging', file)),
  };
}

export async function unfinishedUploads(server: Server): Promise<UploadStatus[]> {
  const page = await server.api<Page<UploadStatus>>('GET', '/uploads', {
    query: { status: 'unfinished', limit: 1000 },
  });
  expect(page.data.hasMore).toBe(false);
  return page.data.items;
}

/** Ends all uploads that are under way; waits for those whose writer may still be alive. */
export async function abortUnfinished(server: Server): Promise<void> {
  for (const { id } of await unfinishedUploads(server)) {
    const abort = async (): Promise<boolean> => (await server.api('DELETE', `/uploads/${id}`)).status !== 423;
    await until(abort, { within: 45_000, every: 250, what: `the end of ${id}` });
  }
}

/**
 * Expects that, after one collection, every file on disk is the content of some version of some file, whole, and that every
 * version has its file: nothing unreferenced, nothing missing. Uploads under way must have been ended before. `patience`, in
 * milliseconds, lets collections be repeated for as long as a writer that died may still count as alive.
 */
export async function expectNothingUnreferenced(server: Server, { patience = 0 } = {}): Promise<void> {
  const deadline = performance.now() + patience;
  let wrong = await collectAndCompare(server);
  while (wrong.length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    wrong = await collectAndCompare(server);
  }
  expect(wrong).toEqual([]);
}

/** What on disk belongs to no version, and what versions miss, after one more collection. */
async function collectAndCompare(server: Server): Promise<string[]> {
  await collect(server);
  const { objects, staged } = await bucketFiles(server);
  const files = [...(await listAll(server)), ...(await listAll(server, { status: 'trashed' }))];
  const versions = (
    await concurrently(files, 8, (file) => (file.version === 1 ? Promise.resolve([file]) : versionsOf(server, file.id)))
  ).flat();
  const wanted = new Set(versions.map(({ sha256 }) => sha256));
  const stored = await concurrently(objects, 4, async ({ path: name }) => ({ name, sha256: await digest(name) }));
  const present = new Set(stored.map(({ sha256 }) => sha256));
  return [
    ...staged.map(({ path: name }) => `${name} is left of an upload that has ended`),
    ...stored.filter(({ sha256 }) => !wanted.has(sha256)).map(({ name }) => `${name} belongs to no version`),
    ...[...wanted].filter((sha256) => sha256 && !present.has(sha256)).map((sha256) => `${sha256} is not stored`),
    ...(objects.length > versions.length ? [`${objects.length} objects for ${versions.length} versions`] : []),
  ];
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

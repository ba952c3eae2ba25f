import { expect } from 'vitest';
import { abortUnfinished, expectNothingUnreferenced } from './bucket-on-disk.ts';
import { until } from './clock.ts';
import { concurrently } from './concurrently.ts';
import { completeUpload, initUpload, type Multipart, partOf, putSigned, sendParts, signParts } from './direct.ts';
import { download, expectIntact, findByPath, listAll, postForm, postRaw } from './files.ts';
import { patternBytes, type SeededRandom, sha256 } from './random.ts';
import type { Server } from './server.ts';
import { tus, tusCreate, tusPatch } from './tus.ts';
import type { FileInfo, InitResult, UploadStatus } from './wire.ts';

/** One upload, and what the server has acknowledged of it. */
export interface Entry {
  door: CrashDoor;
  path: string;
  bytes: Buffer;
  /** The server said that the file is there. */
  done: boolean;
  /** tus: the address and the last offset that was told. */
  address?: string;
  offset?: number;
  /** Direct: the upload, and the parts that were acknowledged. */
  init?: InitResult;
  parts: { partNumber: number; etag: string }[];
}

/** How long a client may have to wait until the lease of a writer that died with its process has run out. */
const LEASE_MS = 45_000;

export const CRASH_DOORS = ['form', 'raw', 'tus', 'single', 'parts'] as const;
export type CrashDoor = (typeof CRASH_DOORS)[number];

/** Uploads one entry and writes down every acknowledgement the moment it is there. Rejects when the server goes away. */
export type Uploader = (server: Server, entry: Entry) => Promise<void>;

const expectStatus = (
  answer: { status: number; text?: string; body?: unknown },
  wanted: number,
  what: string,
): void => {
  const said = answer.text ?? JSON.stringify(answer.body);
  if (answer.status !== wanted) throw new Error(`${what} answered ${answer.status}: ${said}`);
};

const UPLOADERS: Record<CrashDoor, Uploader> = {
  form: async (server, entry) => {
    expectStatus(await postForm(server, entry.bytes, { path: entry.path }), 201, 'form');
    entry.done = true;
  },
  raw: async (server, entry) => {
    expectStatus(await postRaw(server, entry.bytes, { path: entry.path }), 201, 'raw');
    entry.done = true;
  },
  tus: async (server, entry) => {
    entry.address ??= await tusCreate(server, entry.bytes.length, { filename: 'x', path: entry.path });
    entry.offset ??= 0;
    const step = Math.ceil(entry.bytes.length / 4);
    while (!entry.done) {
      const answer = await tusPatch(
        server,
        entry.address,
        entry.offset,
        entry.bytes.subarray(entry.offset, entry.offset + step),
      );
      expectStatus(answer, 204, 'PATCH');
      entry.offset = Number(answer.headers.get('upload-offset'));
      entry.done = answer.headers.get('carcosa-file-id') !== null;
    }
  },
  single: async (server, entry) => {
    entry.init ??= (await initUpload(server, { fileName: 'x', size: entry.bytes.length, path: entry.path })).data;
    const sent = await putSigned(entry.init.url as string, entry.bytes, entry.init.headers);
    expectStatus(sent, 200, 'PUT');
    entry.parts.push({ partNumber: 1, etag: sent.etag });
    await complete(server, entry);
  },
  parts: async (server, entry) => {
    entry.init ??= (await initUpload(server, { fileName: 'x', size: entry.bytes.length, path: entry.path })).data;
    const upload = entry.init as Multipart;
    const numbers = Array.from({ length: upload.partCount }, (_, index) => index + 1);
    const { parts } = (await signParts(server, upload.uploadId, numbers)).data;
    await concurrently(parts, 2, async ({ partNumber, url, headers }) => {
      const sent = await putSigned(url, partOf(upload, entry.bytes, partNumber), headers);
      expectStatus(sent, 200, 'part');
      entry.parts.push({ partNumber, etag: sent.etag });
    });
    await complete(server, entry);
  },
};

async function complete(server: Server, entry: Entry): Promise<void> {
  const init = entry.init as InitResult;
  const parts = init.strategy === 'multipart' ? entry.parts : undefined;
  expectStatus(await completeUpload(server, init.uploadId, parts), 200, 'complete');
  entry.done = true;
}

export function newEntry(door: CrashDoor, path: string, length: number): Entry {
  return { door, path, bytes: patternBytes(path, length), done: false, parts: [] };
}

export const upload = (server: Server, entry: Entry): Promise<void> => UPLOADERS[entry.door](server, entry);

export interface CrashRun {
  folder: string;
  random: SeededRandom;
  /** A size that the server wants in parts. */
  multipartSize: number;
  /** Says that the server was told to go: what fails from now on fails for that reason. */
  isOver: () => boolean;
}

/** Uploads one file after the other through `door` until the server goes away; gives all of them. */
export async function uploadUntilOver(server: Server, door: CrashDoor, run: CrashRun): Promise<Entry[]> {
  const entries: Entry[] = [];
  while (!run.isOver()) {
    const length =
      door === 'parts'
        ? run.multipartSize
        : run.random.integer(0, 2) === 0
          ? run.random.integer(0, 20_000)
          : run.random.integer(0, 3_000_000);
    const entry = newEntry(door, `${run.folder}/${door}-${entries.length}`, length);
    entries.push(entry);
    try {
      await upload(server, entry);
    } catch (error) {
      if (!run.isOver()) throw error;
    }
  }
  return entries;
}

/**
 * After the server is back: what was acknowledged is listed and identical; what was not is absent or whole; every
 * unfinished upload tells an honest state, goes on from there, and ends identical. Afterwards nothing is unreferenced.
 */
export async function expectNothingLost(server: Server, entries: Entry[], folder: string): Promise<void> {
  const listed = new Map((await listAll(server, { folder, recursive: true })).map((file) => [file.path, file]));
  await concurrently(entries, 6, async (entry) => {
    const file = listed.get(entry.path);
    if (entry.done) expect(file, `${entry.path} was acknowledged`).toBeDefined();
    if (file) await expectWhole(server, file, entry);
    else await resume(server, entry);
  });
  await abortUnfinished(server);
  await expectNothingUnreferenced(server, { patience: LEASE_MS });
}

async function expectWhole(server: Server, file: FileInfo, entry: Entry): Promise<void> {
  expect([file.size, file.sha256 ?? sha256(entry.bytes)], entry.path).toEqual([
    entry.bytes.length,
    sha256(entry.bytes),
  ]);
  expect(sha256((await download(server, file.id)).bytes), entry.path).toBe(sha256(entry.bytes));
}

/** Goes on as every client of a retryable answer does: 423 says that the dead writer may still be alive. */
async function resume(server: Server, entry: Entry): Promise<void> {
  await until(
    () =>
      resumeOnce(server, entry).then(
        () => true,
        (error: Error) => {
          if (!/answered 423/.test(error.message)) throw error;
          return false;
        },
      ),
    { within: LEASE_MS, every: 250, what: `${entry.path}: the end of a dead writer's lease` },
  );
  await expectIntact(server, (await findByPath(server, entry.path)) as FileInfo, entry.bytes);
}

async function resumeOnce(server: Server, entry: Entry): Promise<void> {
  if (entry.address) await resumeTus(server, entry);
  else if (entry.init) await resumeDirect(server, entry);
  else await upload(server, entry);
}

async function resumeTus(server: Server, entry: Entry): Promise<void> {
  const head = await tus(server, 'HEAD', entry.address as string);
  expect(head.status, `${entry.path} can be resumed`).toBe(200);
  const told = Number(head.headers.get('upload-offset'));
  expect(told, `${entry.path}: an acknowledged offset is never taken back`).toBeGreaterThanOrEqual(entry.offset ?? 0);
  entry.offset = told;
  await upload(server, entry);
}

async function resumeDirect(server: Server, entry: Entry): Promise<void> {
  const init = entry.init as InitResult;
  const { status, parts = [] } = (await server.api<UploadStatus>('GET', `/uploads/${init.uploadId}`)).data;
  const there = parts.map(({ partNumber }) => partNumber);
  for (const { partNumber } of entry.parts) {
    if (status === 'open') expect(there, `${entry.path}: an acknowledged part is there`).toContain(partNumber);
  }
  if (init.strategy === 'multipart') {
    const multipart = init as Multipart;
    const missing = Array.from({ length: multipart.partCount }, (_, index) => index + 1).filter(
      (number) => !there.includes(number),
    );
    if (missing.length > 0) await sendParts(server, multipart, entry.bytes, missing);
  } else if (there.length === 0) {
    expectStatus(await putSigned(init.url as string, entry.bytes, init.headers), 200, 'PUT');
  }
  expectStatus(await completeUpload(server, init.uploadId), 200, 'complete');
  entry.done = true;
}

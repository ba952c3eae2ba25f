import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CarcosaError, createCarcosa as createAnywhere, type UploadTask } from '@carcosa/sdk';
import { createCarcosa } from '@carcosa/sdk/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CuttingProxy, startCuttingProxy } from '../../support/cutting-proxy.ts';
import { type Server, startServer } from '../../support/server.ts';

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let proxy: CuttingProxy;
let server: Server;
let home: string;
beforeAll(async () => {
  proxy = await startCuttingProxy();
  server = await startServer({ env: { CARCOSA_PUBLIC_URL: proxy.url } });
  proxy.target(server.directUrl);
  home = await mkdtemp(path.join(tmpdir(), 'carcosa-sdk-'));
});
afterAll(async () => {
  await server?.stop();
  await proxy?.close();
  if (home) await rm(home, { recursive: true });
});

const client = () => createCarcosa({ url: proxy.url, apiKey: server.apiKey });

/** A file on disk with content of its own. */
async function onDisk(name: string, size: number): Promise<{ path: string; bytes: Buffer }> {
  const bytes = randomBytes(size);
  const file = path.join(home, name);
  await writeFile(file, bytes);
  return { path: file, bytes };
}

/** Runs `work` while an upload that has begun is stuck, with so many bytes at the server. */
async function whileStuckAt(task: UploadTask<unknown>, bytes: number, work: () => Promise<void>): Promise<void> {
  try {
    await expect.poll(() => task.progress.bytes, { timeout: 30_000 }).toBeGreaterThanOrEqual(bytes);
    await work();
  } finally {
    proxy.release();
  }
}

describe('an upload becomes the file, whatever the content comes from', () => {
  it.each([
    ['text', 'hello', 'hello'],
    ['a Blob', new Blob(['blob'], { type: 'text/plain' }), 'blob'],
    ['a File', new File(['file'], 'a.txt', { type: 'text/plain' }), 'file'],
    ['bytes', new Uint8Array([104, 105]), 'hi'],
    ['nothing at all', new Uint8Array(0), ''],
    ['a web stream', new Blob(['streamed']).stream(), 'streamed'],
  ])('%s', async (_what, input, content) => {
    const anywhere = createAnywhere({ url: proxy.url, apiKey: server.apiKey });
    const file = await anywhere.upload(input);
    expect(file.size).toBe(content.length);
    const download = await anywhere.files.download(file.id);
    expect(await download.text()).toBe(content);
  });

  it.each([5 * MIB, 5 * MIB + 1, 16 * MIB - 1, 16 * MIB, 40 * MIB + 3])('%i bytes from disk', async (size) => {
    const source = await onDisk('large.bin', size);
    const task = client().upload({ path: source.path }, { path: `sizes/${size}.bin`, metadata: { a: 'b' } });
    const file = await task;
    expect(file).toMatchObject({ path: `sizes/${size}.bin`, size, sha256: sha256(source.bytes), metadata: { a: 'b' } });
    expect(task.progress).toMatchObject({ bytes: size, total: size, fraction: 1 });
  });

  it('a stream of which nobody knows the length', async () => {
    const pieces = Array.from({ length: 21 }, () => randomBytes(MIB));
    async function* stream() {
      yield* pieces;
    }
    const file = await client().upload(stream(), { path: 'stream.bin' });
    expect(file).toMatchObject({ size: 21 * MIB, sha256: sha256(Buffer.concat(pieces)) });
  });
});

describe('a connection that breaks', () => {
  it.each([
    ['simple', 4 * MIB, [MIB]],
    ['tus', 12 * MIB, [3 * MIB, 5 * MIB]],
    ['direct', 40 * MIB, [9 * MIB, 20 * MIB]],
    ['a stream', null, [5 * MIB, 9 * MIB]],
  ])('does not end an upload by %s', async (_protocol, size, cuts) => {
    const source = await onDisk('cut.bin', size ?? 20 * MIB);
    const before = proxy.cuts;
    async function* stream() {
      yield source.bytes;
    }
    const input = size === null ? stream() : { path: source.path };
    const cutting = (async () => {
      for (const bytes of cuts) {
        const at = proxy.cuts;
        proxy.cutAfter(bytes);
        await expect.poll(() => proxy.cuts, { timeout: 30_000 }).toBeGreaterThan(at);
      }
    })();
    const task = client().upload(input, { path: `cut/${size}.bin` });
    await cutting;
    const file = await task;
    expect(proxy.cuts - before).toBe(cuts.length);
    expect(file.sha256).toBe(sha256(source.bytes));
    expect(file.version).toBe(1);
  });
});

it('a small file whose answer was lost is not stored twice, at a path or without one', async () => {
  let lost = 0;
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const answer = await globalThis.fetch(url, init);
    if (init?.method !== 'POST' || lost % 2 === 1) return answer;
    lost++;
    throw new TypeError('the answer was lost');
  };
  const carcosa = createAnywhere({ url: proxy.url, apiKey: server.apiKey, fetch });
  const metadata = { lost: true };
  expect(await carcosa.upload('at a path', { path: 'lost/once.txt', metadata })).toMatchObject({
    version: 1,
    metadata,
  });
  expect(lost).toBe(1);
  lost = 2;
  const own = await carcosa.upload(new File(['of its own'], 'own-lost.txt'));
  expect(lost).toBe(3);
  expect((await carcosa.files.list({ q: 'own-lost.txt' }).toArray()).map(({ id }) => id)).toEqual([own.id]);
});

describe('pausing, cancelling, continuing', () => {
  /** One part after the other, so that some are whole when the rest is held back. */
  const slow = () => createCarcosa({ url: proxy.url, apiKey: server.apiKey, parallelParts: 1 });

  it.each(['tus', 'direct'] as const)('continues by %s where it was paused', async (protocol) => {
    const source = await onDisk('paused.bin', 64 * MIB);
    proxy.holdAfter(40 * MIB);
    const task = slow().upload({ path: source.path }, { path: `paused/${protocol}.bin`, protocol });
    await whileStuckAt(task, 32 * MIB, async () => task.pause());
    expect(task.state).toBe('paused');
    const [session] = await client().listUnfinishedUploads().toArray();
    expect(session).toMatchObject({ path: `paused/${protocol}.bin`, size: 64 * MIB, door: protocol });
    task.resume();
    expect((await task).sha256).toBe(sha256(source.bytes));
    expect(await client().listUnfinishedUploads().toArray()).toEqual([]);
  });

  it('does not go on with a file that was changed meanwhile', async () => {
    const source = await onDisk('changed.bin', 64 * MIB);
    proxy.holdAfter(20 * MIB);
    const task = slow().upload({ path: source.path }, { path: 'changed.bin' });
    await whileStuckAt(task, 16 * MIB, async () => task.pause());
    await onDisk('changed.bin', 64 * MIB + 1);
    task.resume();
    await expect(task.done).rejects.toMatchObject({ code: 'source_unreadable' });
    for await (const { id } of client().listUnfinishedUploads()) await client().uploads.abort(id);
  });

  it.each(['tus', 'direct'] as const)('leaves nothing behind when it is cancelled by %s', async (protocol) => {
    const source = await onDisk('cancelled.bin', 64 * MIB);
    proxy.holdAfter(20 * MIB);
    const task = slow().upload({ path: source.path }, { path: `cancelled/${protocol}.bin`, protocol });
    await whileStuckAt(task, 16 * MIB, async () => {
      // What is held back would hold back the cancellation too.
      proxy.release();
      await task.cancel();
    });
    await expect(task.done).rejects.toMatchObject({ code: 'cancelled' });
    expect(await client().listUnfinishedUploads().toArray()).toEqual([]);
    expect(await client().files.find(`cancelled/${protocol}.bin`)).toBeNull();
  });

  it.each(['tus', 'direct'] as const)('another client continues the same file by %s, by itself', async (protocol) => {
    const source = await onDisk('reload.bin', 64 * MIB);
    const target = { path: `reload/${protocol}.bin`, protocol };
    proxy.holdAfter(40 * MIB);
    const first = slow().upload({ path: source.path }, target);
    await whileStuckAt(first, 32 * MIB, async () => first.pause());
    const [session] = await client().listUnfinishedUploads().toArray();
    expect(session?.door).toBe(protocol);
    const second = client().upload({ path: source.path }, target);
    const seen: number[] = [];
    second.subscribe(() => seen.push(second.progress.bytes));
    expect((await second).sha256).toBe(sha256(source.bytes));
    expect(Math.min(...seen.filter((bytes) => bytes > 0))).toBeGreaterThanOrEqual(16 * MIB);
    expect((await client().uploads.get(session?.id ?? '')).status).toBe('completed');
  });

  it('another device continues what it finds in the list, with the same file and no other', async () => {
    const source = await onDisk('device.bin', 64 * MIB);
    proxy.holdAfter(40 * MIB);
    const first = slow().upload({ path: source.path }, { protocol: 'direct' });
    await whileStuckAt(first, 32 * MIB, async () => first.pause());
    const [session] = await client().listUnfinishedUploads().toArray();
    expect(session).toMatchObject({ name: 'device.bin', size: 64 * MIB });
    const resume = { id: session?.id ?? '' };
    const other = await onDisk('other.bin', 64 * MIB);
    await expect(client().upload({ path: other.path }, { resume })).rejects.toThrow(/content/);
    const shorter = await onDisk('shorter.bin', 64 * MIB - 1);
    await expect(client().upload({ path: shorter.path }, { resume })).rejects.toThrow(/size/);
    await utimes(source.path, 1, 1);
    expect((await client().upload({ path: source.path }, { resume })).sha256).toBe(sha256(source.bytes));
  });
});

describe('what cannot be', () => {
  const code = async (work: PromiseLike<unknown>): Promise<string> => {
    const error = await Promise.resolve(work).then(
      () => new Error('it worked'),
      (caught: unknown) => caught,
    );
    expect(error).toBeInstanceOf(CarcosaError);
    expect((error as Error).message).toMatch(/\w{3,}/);
    return (error as CarcosaError).code;
  };

  it('is said with a code', async () => {
    const carcosa = client();
    expect(await code(carcosa.upload('x', { path: '../x' }))).toBe('invalid_path');
    expect(await code(carcosa.upload('x', { sha256: '0'.repeat(64) }))).toBe('checksum_mismatch');
    expect(await code(carcosa.upload({ path: path.join(home, 'nothing.bin') }))).toBe('source_unreadable');
    expect(await code(carcosa.upload({ path: home }))).toBe('source_unreadable');
    expect(await code(carcosa.upload(7 as never))).toBe('invalid_argument');
    expect(await code(carcosa.upload('x', { resume: { id: 'upl_0' } }))).toBe('not_found');
    expect(await code(createCarcosa({ url: proxy.url, apiKey: 'sk_no_no' }).upload('x'))).toBe('unauthenticated');
    const metadata = { a: 1 };
    expect(await code(carcosa.upload(new Blob(['x']).stream(), { metadata }))).toBe('invalid_argument');
  });

  it('is found out while the project does not take it', async () => {
    const carcosa = client();
    await carcosa.projects.update(server.projectId, { settings: { maxFileSize: 10, allowedTypes: ['image/*'] } });
    try {
      const large = await onDisk('too-large.bin', 20 * MIB);
      expect(await code(carcosa.upload({ path: large.path }))).toBe('file_too_large');
      expect(await code(carcosa.upload('no picture'))).toBe('file_type_not_allowed');
    } finally {
      await carcosa.projects.update(server.projectId, { settings: { maxFileSize: null, allowedTypes: null } });
    }
    expect(await carcosa.listUnfinishedUploads().toArray()).toEqual([]);
  });
});

it('sends so many at once, and the others in their order', async () => {
  const carcosa = createCarcosa({ url: proxy.url, apiKey: server.apiKey, parallelFiles: 2 });
  const tasks = carcosa.uploads.uploadAll(
    Array.from({ length: 10 }, (_, index) => `content ${index}`),
    (_input, index) => ({ path: `many/${index}.txt` }),
  );
  let most = 0;
  const count = (): void => {
    most = Math.max(most, tasks.filter(({ state }) => state === 'uploading').length);
  };
  for (const task of tasks) task.subscribe(count);
  const files = await Promise.all(tasks);
  expect(files.map((file) => file.path)).toEqual(files.map((_, index) => `many/${index}.txt`));
  expect(most).toBe(2);
});

import { truncateSync, unlinkSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import type { File } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import type { ObjectStore, ReadOptions } from '@carcosa/storage/port';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rawConnect, requestHead } from '../../support/raw-http.ts';
import { expectSame, pattern, type ServingNode, ServingWorld, StalledClient } from './support.ts';

/** Where /proc tells what is open. */
const ON_LINUX = process.platform === 'linux';
const MIB = 1024 * 1024;
const bytes = pattern(8 * MIB);
/** More than the buffers of a connection hold. */
const large = pattern(32 * MIB, 2);

const stored = async ({ carcosa }: ServingNode, file: File): Promise<string> => {
  const { rows } = await carcosa.database.pool.query<{ path: string }>(
    'select storage_key as path from objects o join files f on f.object_id = o.id where f.id = $1',
    [file.id],
  );
  const store = await carcosa.stores.storeFor(file.bucketId as Parameters<typeof carcosa.stores.storeFor>[0]);
  return store.files?.locate(rows[0]?.path ?? '') ?? '';
};

describe('a local bucket', () => {
  let world: ServingWorld;
  let node: ServingNode;
  beforeAll(async () => {
    world = await ServingWorld.open({ inactivityMs: 400 });
    node = world.node;
  });
  afterAll(() => world.close());

  it.runIf(ON_LINUX)('leaves nothing open when clients go away in the middle, or never read', async () => {
    const file = await node.put('abandoned', large);
    const clients = await Promise.all(Array.from({ length: 20 }, () => StalledClient.open(node, file.url)));
    await vi.waitFor(() => expect(world.openObjects()).not.toEqual([]));
    for (const [index, client] of clients.entries()) if (index % 2 === 0) client.leave();
    await vi.waitFor(() => expect(clients.every((client) => client.isCut)).toBe(true), { timeout: 20_000 });
    for (const client of clients) client.leave();
    // A file that nobody reads any more is closed when it is purged.
    await node.api('DELETE', `/files/${file.id}?permanent=true`);
    await node.carcosa.garbage.collect();
    await vi.waitFor(() => expect(world.openObjects()).toEqual([]));
  });

  it.runIf(ON_LINUX)('serves others while it waits for who does not read', async () => {
    const file = await node.put('slow', large);
    const client = await StalledClient.open(node, file.url);
    while (!client.isCut) expect((await node.get(file.url, { range: 'bytes=0-99' })).status).toBe(206);
    client.leave();
  });

  it('says clearly that bytes are gone, before it has said anything else', async () => {
    const file = await node.put('lost', 'x'.repeat(100));
    unlinkSync(await stored(node, file));
    const answer = await node.get(file.url);
    expect([answer.status, await answer.json()]).toMatchObject([
      503,
      { error: 'storage_unavailable', message: 'The bucket has lost the bytes of this file.' },
    ]);
    expect((await node.download(file.id)).status).toBe(503);
    expect((await node.get(file.url, {}, 'HEAD')).status).toBe(200);
  });

  it('does not send what is not what was stored', async () => {
    const file = await node.put('cut', bytes);
    truncateSync(await stored(node, file), MIB);
    const answer = await node.get(file.url, { range: 'bytes=0-9' });
    expect([answer.status, (await answer.json()).error]).toEqual([503, 'storage_unavailable']);
  });

  it('breaks off when bytes are missing in the middle, so that nobody takes the rest for the whole', async () => {
    const file = await node.put('cut-later', bytes);
    expect((await node.get(file.url, { range: 'bytes=0-9' })).status).toBe(206);
    // The descriptor is open, and its size is known: only reading finds out.
    truncateSync(await stored(node, file), 5 * MIB);
    await expect(node.bytes(file.url)).rejects.toThrow();
    const small = await node.get(file.url, { range: `bytes=${6 * MIB}-${6 * MIB + 9}` });
    expect([small.status, (await small.json()).error]).toEqual([503, 'storage_unavailable']);
    expect((await node.get(file.url, { range: 'bytes=0-9' })).status).toBe(206);
  });
});

describe('a bucket elsewhere', () => {
  let world: ServingWorld;
  let node: ServingNode;
  /** What the next read does; by default what the bucket does. */
  let read: ((local: ObjectStore, key: string, options: ReadOptions) => Promise<Readable>) | null = null;
  const signed: unknown[] = [];
  beforeAll(async () => {
    world = await ServingWorld.open({ wrapStore: asRemote, inactivityMs: 1000 });
    node = world.node;
  });
  afterAll(() => world.close());

  /** The local bucket as one that only streams, and signs. */
  function asRemote(local: ObjectStore): ObjectStore {
    return {
      provider: 's3',
      read: (key: string, options: ReadOptions = {}) =>
        (read ?? ((store) => store.read(key, options)))(local, key, options),
      presign: {
        signGet: async (input: unknown) => {
          signed.push(input);
          return { method: 'GET', url: 'https://bucket.example/object?signature=x', headers: {} };
        },
      },
    } as unknown as ObjectStore;
  }
  const reading = async (how: NonNullable<typeof read>, work: () => Promise<void>): Promise<void> => {
    read = how;
    await work().finally(() => {
      read = null;
    });
  };

  it('streams the whole, ranges, and several of them', async () => {
    const { url } = await node.put('streamed', bytes);
    expectSame(await node.bytes(url), bytes);
    expectSame(await node.bytes(url, { range: 'bytes=1000000-3000000' }), bytes.subarray(1_000_000, 3_000_001));
    const multipart = await node.get(url, { range: 'bytes=0-99,-100' });
    const body = Buffer.from(await multipart.arrayBuffer());
    expect([multipart.status, body.length]).toEqual([206, Number(multipart.headers.get('content-length'))]);
    expect(body.includes(bytes.subarray(0, 100)) && body.includes(bytes.subarray(-100))).toBe(true);
    expect(await (await node.get((await node.put('empty', '')).url)).text()).toBe('');
  });

  it.each(['storage_unavailable', 'storage_misconfigured'] as const)(
    'answers %s while nothing is sent',
    async (code) => {
      const { url } = await node.put('failing', bytes);
      const fail = async () => {
        throw new CarcosaError(code);
      };
      await reading(fail, async () => {
        const answer = await node.get(url);
        expect([answer.status, (await answer.json()).error]).toEqual([
          code === 'storage_unavailable' ? 503 : 502,
          code,
        ]);
      });
      const late = async () =>
        new Readable({
          read() {
            this.destroy(new Error('reset by peer'));
          },
        });
      await reading(late, async () => expect((await node.get(url)).status).toBe(503));
    },
  );

  it.each([
    ['breaks off', (stream: PassThrough) => stream.destroy(new Error('reset by peer'))],
    ['ends early', (stream: PassThrough) => stream.end()],
    ['sends too much', (stream: PassThrough) => stream.end(Buffer.concat([bytes, bytes]))],
  ])('cuts the connection when the bucket %s in the middle', async (_what, go) => {
    const { url } = await node.put('breaking', bytes);
    const how = async () => {
      const stream = new PassThrough();
      stream.write(bytes.subarray(0, MIB), () => setImmediate(go, stream));
      return stream;
    };
    await reading(how, async () => await expect(node.bytes(url)).rejects.toThrow());
  });

  it('stops reading when the client goes away', async () => {
    const file = await node.put('left', bytes);
    let stopped: AbortSignal | undefined;
    const stream = new PassThrough();
    const how = async (_local: ObjectStore, _key: string, { signal }: ReadOptions) => {
      stopped = signal;
      stream.write(bytes.subarray(0, MIB));
      return stream;
    };
    await reading(how, async () => {
      const connection = await rawConnect(node.url);
      await connection.write(requestHead('GET', `/f/${file.key}`, {}));
      await vi.waitFor(() => expect(stream.readableDidRead).toBe(true));
      connection.destroy();
      await vi.waitFor(() => expect([stopped?.aborted, stream.destroyed]).toEqual([true, true]));
    });
  });

  it('waits for a slow bucket as long as the client does', async () => {
    const file = await node.put('waiting', bytes);
    let answer: ((stream: Readable) => void) | undefined;
    await reading(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      async () => {
        const connection = await rawConnect(node.url);
        await connection.write(requestHead('GET', `/f/${file.key}`, {}));
        await vi.waitFor(() => expect(answer).toBeDefined());
        connection.destroy();
        await connection.closed;
        const stream = Readable.from([bytes], { objectMode: false });
        answer?.(stream);
        await vi.waitFor(() => expect(stream.destroyed).toBe(true));
      },
    );
    expect((await node.get(file.url)).status).toBe(200);
  });

  it('redirects where the project wants it, and answers HEAD itself', async () => {
    const file = await node.put('naïve.txt', 'hello', { type: 'text/plain' });
    await node.setting({ delivery: 'redirect' });
    try {
      const answer = await node.get(`${file.url}?download`);
      expect([answer.status, answer.headers.get('location')]).toEqual([
        302,
        'https://bucket.example/object?signature=x',
      ]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(signed.at(-1)).toMatchObject({
        expiresIn: 3600,
        contentType: 'text/plain; charset=utf-8',
        contentDisposition: `attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`,
      });
      const head = await node.get(file.url, {}, 'HEAD');
      expect([head.status, head.headers.get('content-length')]).toEqual([200, '5']);
      const secret = await node.put('secret', 'x', { visibility: 'private' });
      expect((await node.get(secret.url)).status).toBe(403);
      const { url } = await node.api<{ url: string }>('POST', `/files/${secret.id}/signed-url`, { expiresIn: 30 });
      expect((await node.get(url)).status).toBe(302);
      expect((signed.at(-1) as { expiresIn: number }).expiresIn).toBeLessThanOrEqual(30);
    } finally {
      await node.setting({ delivery: 'stream' });
    }
    expect((await node.get(file.url)).status).toBe(200);
  });
});

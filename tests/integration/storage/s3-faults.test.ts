import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { S3ObjectStore, type S3StoreConfig } from '@carcosa/storage/adapters/s3';
import type { ObjectStore, StagedObject, StagedRef } from '@carcosa/storage/port';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until, within } from '../../support/clock.ts';
import { radosgw } from '../../support/radosgw.ts';
import { sha256, unique } from '../../support/random.ts';
import { asks, S3FaultProxy, type SeenRequest } from '../../support/s3-fault-proxy.ts';

const gateway = await radosgw();
const PART = 128 * 1024;
const contentType = 'application/octet-stream';

describe.skipIf(!gateway)('an S3 bucket that fails', () => {
  let proxy: S3FaultProxy;
  /** Through the proxy; gives up early, so that no test waits long. */
  let store: S3ObjectStore;
  /** Past the proxy, as another process would have it. */
  let direct: S3ObjectStore;
  let config: S3StoreConfig;

  beforeAll(async () => {
    if (!gateway) return;
    proxy = await S3FaultProxy.start(gateway.endpoint);
    const real = { ...(await gateway.bucket()), partSize: PART };
    config = { ...real, endpoint: proxy.url, idleTimeout: 1_500, maxAttempts: 3 };
    store = await S3ObjectStore.open(config);
    direct = await S3ObjectStore.open(real);
  });
  beforeEach(() => proxy.heal());
  afterAll(async () => {
    await store?.close();
    await direct?.close();
    await proxy?.close();
  });

  const begin = async (bytes: Buffer, known = true) => {
    const input = {
      uploadId: unique('upl'),
      key: `org/${unique('key')}`,
      size: known ? bytes.length : null,
      contentType,
    };
    return { ...input, staged: await store.stage(input) };
  };
  const put = async (bytes: Buffer): Promise<string> => {
    const { staged, key } = await begin(bytes);
    await append(staged, bytes);
    await staged.commit(key);
    return key;
  };
  const expectContent = async (key: string, bytes: Buffer) =>
    expect(sha256(await read(direct, key))).toBe(sha256(bytes));
  /** As the next request of the client, once the bucket is well again. */
  const continueAndCommit = async (ref: StagedRef, key: string, bytes: Buffer, durable: number) => {
    proxy.heal();
    const staged = await store.resume(ref, { durable, takeover: true });
    await append(staged, bytes.subarray(durable));
    await staged.sync();
    expect(await staged.sha256()).toBe(sha256(bytes));
    await staged.commit(key);
    await expectContent(key, bytes);
  };

  describe('for a while', () => {
    const lengths = { small: [100, true], large: [3 * PART + 5, true], growing: [5 * PART + 5, false] } as const;

    it.each([
      ['500 InternalError', { type: 'error', status: 500, code: 'InternalError' }, ['small', 'large', 'growing']],
      ['a connection that breaks', { type: 'drop-before' }, ['small', 'large', 'growing']],
      ['an answer that is lost', { type: 'drop-after' }, ['small', 'large', 'growing']],
      // These take their time.
      ['503 SlowDown', { type: 'error', status: 503, code: 'SlowDown' }, ['large']],
      ['429', { type: 'error', status: 429, code: 'TooManyRequests' }, ['small']],
      ['silence', { type: 'hang' }, ['small']],
    ] as const)('takes an upload all the same: %s', async (_name, fault, kinds) => {
      for (const [length, known] of kinds.map((kind) => lengths[kind])) {
        const bytes = randomBytes(length);
        for (const when of [asks.begin, asks.part, asks.tail, asks.put, asks.complete]) proxy.inject({ when, fault });
        const { staged, key } = await begin(bytes, known);
        await append(staged, bytes.subarray(0, length >> 1));
        await staged.sync();
        await append(staged, bytes.subarray(length >> 1));
        await staged.sync();
        expect(await staged.sha256()).toBe(sha256(bytes));
        await staged.commit(key);
        await expectContent(key, bytes);
        proxy.heal();
      }
    });

    it('waits as long as Retry-After says', async () => {
      const bytes = randomBytes(10);
      const headers = { 'retry-after': '1' };
      proxy.inject({ when: asks.put, fault: { type: 'error', status: 503, code: 'SlowDown', headers } });
      const began = performance.now();
      await expectContent(await put(bytes), bytes);
      expect(performance.now() - began).toBeGreaterThan(900);
    });

    it('sends a part again whose ETag is wrong', async () => {
      const bytes = randomBytes(2 * PART + 1);
      proxy.inject({ when: asks.part, fault: { type: 'wrong-etag' }, times: 2 });
      await expectContent(await put(bytes), bytes);
      proxy.inject({ when: asks.put, fault: { type: 'wrong-etag' } });
      await expectContent(await put(bytes.subarray(0, 10)), bytes.subarray(0, 10));
    });

    it('does not believe a 200 with an error in it', async () => {
      const bytes = randomBytes(2 * PART + 1);
      proxy.inject({ when: asks.complete, fault: { type: 'error-in-200', code: 'InternalError' } });
      await expectContent(await put(bytes), bytes);
    });

    it('goes on reading where a body broke off', async () => {
      const bytes = randomBytes(1_000_000);
      const key = await put(bytes);
      proxy.inject(
        { when: asks.get, fault: { type: 'truncate', bytes: 100_000 } },
        { when: asks.get, fault: { type: 'truncate', bytes: 300_001 } },
        { when: asks.get, fault: { type: 'hang', bytes: 200_000 } },
        { when: asks.get, fault: { type: 'error', status: 503, code: 'SlowDown' } },
        { when: asks.get, fault: { type: 'trickle', bytes: 20_000 } },
      );
      expect((await read(store, key)).equals(bytes)).toBe(true);
      expect(proxy.seen.filter(asks.get)).toHaveLength(5);
    });

    it('goes on reading after its reader has paused for longer than the bucket waits', async () => {
      const bytes = randomBytes(4_000_000);
      const key = await put(bytes);
      const body = await store.read(key);
      const [first] = (await once(body, 'data')) as [Buffer];
      body.pause();
      await until(() => proxy.running === 0, { what: 'the end of the idle connection' });
      const rest = await buffer(body);
      expect(Buffer.concat([first, rest]).equals(bytes)).toBe(true);
    });
  });

  describe('for good', () => {
    it('says that it does not answer, keeps what was synced and refuses more', async () => {
      const bytes = randomBytes(3 * PART);
      const { staged, key } = await begin(bytes);
      await append(staged, bytes.subarray(0, PART + 10));
      await staged.sync();
      const { ref } = staged;
      proxy.inject({ when: asks.part, fault: { type: 'error', status: 503, code: 'SlowDown' }, times: 1_000 });
      const error = await failure(async () => {
        await append(staged, bytes.subarray(PART + 10));
        await staged.sync();
      });
      expect(error).toMatchObject({ code: 'storage_unavailable', retryable: true });
      proxy.heal();
      await expect(staged.sync()).rejects.toMatchObject({ code: 'storage_unavailable' });
      await expect(staged.append(bytes.subarray(0, 1))).rejects.toMatchObject({ code: 'storage_unavailable' });
      await expect(staged.commit(key)).rejects.toMatchObject({ code: 'storage_unavailable' });
      await staged.close();
      expect(staged.ref).toEqual(ref);
      await continueAndCommit(ref, key, bytes, PART + 10);
    });

    it.each([
      ['parts', 2 * PART + 9, asks.part],
      ['small objects', 50, asks.put],
    ])('does not acknowledge %s that the bucket has otherwise', async (_name, length, when) => {
      const bytes = randomBytes(length);
      proxy.inject(
        { when, fault: { type: 'wrong-etag' }, times: 1_000 },
        { when: asks.head, fault: { type: 'wrong-etag' }, times: 1_000 },
      );
      const { staged } = await begin(bytes);
      const error = await failure(async () => {
        await append(staged, bytes);
        await staged.sync();
      });
      expect(error).toMatchObject({ code: 'checksum_mismatch' });
      expect(proxy.seen.filter(when).length).toBeGreaterThanOrEqual(3);
    });

    it.each([
      ['an error in a 200', { type: 'error-in-200', code: 'InternalError' }],
      ['500', { type: 'error', status: 500, code: 'InternalError' }],
      ['silence', { type: 'hang' }],
    ] as const)('fails to complete, and completes later: %s', async (_name, fault) => {
      const bytes = randomBytes(2 * PART + 1);
      const { staged, key } = await begin(bytes);
      await append(staged, bytes);
      await staged.sync();
      const { ref } = staged;
      proxy.inject({ when: asks.complete, fault, times: 1_000 });
      expect(await failure(() => staged.commit(key))).toMatchObject({ code: 'storage_unavailable', retryable: true });
      expect(await direct.stat(key)).toBeNull();
      await staged.close();
      await continueAndCommit(ref, key, bytes, bytes.length);
    });

    it('has completed although it never said so', async () => {
      for (const length of [2 * PART + 1, 77]) {
        const bytes = randomBytes(length);
        const { staged, key } = await begin(bytes);
        proxy.inject({ when: asks.complete, fault: { type: 'drop-after' }, times: 1_000 });
        proxy.inject({ when: asks.put, fault: { type: 'drop-after' }, times: 1_000 });
        await append(staged, bytes);
        await staged.commit(key);
        await expectContent(key, bytes);
      }
    });

    it('never ends a body early as if it were whole', async () => {
      const bytes = randomBytes(500_000);
      const key = await put(bytes);
      proxy.inject({ when: asks.get, fault: { type: 'truncate', bytes: 1_000 } });
      proxy.inject({ when: asks.get, fault: { type: 'truncate', bytes: 0 }, times: 1_000 });
      expect(await failure(() => read(store, key))).toMatchObject({ code: 'storage_unavailable', retryable: true });
    });

    it('is told from a bucket that is set up wrongly, or full', async () => {
      const bytes = randomBytes(10);
      const fail = async (change: Partial<S3StoreConfig>, work: (other: S3ObjectStore) => Promise<unknown>) => {
        const other = await S3ObjectStore.open({ ...config, ...change });
        const error = await failure(() => work(other));
        await other.close();
        return error;
      };
      const wrongKey = { credentials: { accessKeyId: 'TESTKEY', secretAccessKey: 'wrong' } };
      const misconfigured = { code: 'storage_misconfigured', retryable: false };
      expect(await fail(wrongKey, (other) => other.probe())).toMatchObject(misconfigured);
      expect(await fail(wrongKey, (other) => other.stat('a'))).toMatchObject(misconfigured);
      expect(await fail(wrongKey, (other) => other.read('a'))).toMatchObject(misconfigured);
      expect(await fail({ bucket: 'none-such' }, (other) => other.probe())).toMatchObject(misconfigured);
      expect(await fail({ bucket: 'none-such' }, (other) => other.read('a'))).toMatchObject(misconfigured);
      expect(await fail({ endpoint: 'http://127.0.0.1:1' }, (other) => other.probe())).toMatchObject({
        code: 'storage_unavailable',
      });
      await store.probe();
      proxy.inject({ when: asks.put, fault: { type: 'error', status: 403, code: 'QuotaExceeded' } });
      expect(await failure(() => put(bytes))).toMatchObject({ code: 'storage_full' });
    });
  });

  describe('with two writers', () => {
    it.each([
      ['a small object', 1000, 0, asks.put],
      ['a large one', 3 * PART, PART + 5, asks.part],
    ])('keeps out a former writer whose request comes late: %s', async (_name, length, durable, when) => {
      const [bytes, wrong] = [randomBytes(length), randomBytes(length)];
      bytes.copy(wrong, 0, 0, durable);
      const { staged: zombie, key } = await begin(bytes);
      await append(zombie, bytes.subarray(0, durable));
      await zombie.sync();
      const { ref } = zombie;
      let release = (): void => {};
      const until = new Promise<void>((resolve) => {
        release = resolve;
      });
      proxy.inject({ when, fault: { type: 'hold', until }, times: 2 });
      const late = failure(async () => {
        await append(zombie, wrong.subarray(durable));
        await zombie.sync();
        await zombie.commit(key);
      });
      const heir = await direct.resume(ref, { durable, takeover: true, fence: 2 });
      await append(heir, bytes.subarray(durable));
      await heir.sync();
      await heir.commit(key);
      release();
      expect(await late).toMatchObject({ code: 'upload_fenced' });
      await expectContent(key, bytes);
    });

    it('lets the later writer replace what a former one has put in the end', async () => {
      const [bytes, wrong] = [randomBytes(100), randomBytes(100)];
      const { staged: zombie, key } = await begin(bytes);
      const { ref } = zombie;
      const heir = await direct.resume(ref, { durable: 0, takeover: true, fence: 2 });
      await append(zombie, wrong);
      await zombie.sync();
      await append(heir, bytes);
      await heir.sync();
      await heir.commit(key);
      await expectContent(key, bytes);
    });
  });

  it('finishes direct uploads whose end was lost on the way', async () => {
    for (const strategy of ['single', 'multipart'] as const) {
      const upload = { uploadId: unique('upl'), key: `org/${unique('key')}` };
      const bytes = randomBytes(5000);
      const ref = await store.presign.begin({ ...upload, strategy, contentType });
      const common = { ref, size: bytes.length, expiresIn: 60 };
      const signed =
        strategy === 'single'
          ? await store.presign.signPut({ ...common, contentType })
          : await store.presign.signPart({ ...common, partNumber: 1 });
      await fetch(signed.url, { method: 'PUT', headers: signed.headers, body: new Uint8Array(bytes) });
      const parts = (await store.presign.parts(ref)).map(({ partNumber, etag }) => ({ partNumber, etag }));
      // The copy, or the completion, and never an answer to either.
      const ends = ({ method, key }: SeenRequest) => key === upload.key && ['PUT', 'POST'].includes(method);
      proxy.inject({ when: ends, fault: { type: 'drop-after' }, times: 1_000 });
      expect(await store.presign.finish(ref, upload.key, parts)).toMatchObject({ size: bytes.length });
      expect(await store.presign.finish(ref, upload.key, parts)).toMatchObject({ size: bytes.length });
      await expectContent(upload.key, bytes);
      proxy.heal();
    }
  });

  it('lets go of the connection when a reader leaves', async () => {
    const key = await put(randomBytes(3_000_000));
    proxy.inject({ when: asks.get, fault: { type: 'trickle', bytes: 1_000 }, times: 1_000 });
    for (let i = 0; i < 10; i++) {
      const stop = new AbortController();
      const body = await store.read(key, { signal: stop.signal });
      body.on('error', () => {});
      await once(body, 'readable');
      if (i % 2 === 0) stop.abort();
      else body.destroy();
    }
    await until(() => proxy.running === 0, { what: 'the end of all requests' });
    const gone = AbortSignal.abort();
    await expect(store.read(key, { signal: gone })).rejects.toMatchObject({ name: 'AbortError' });
    // While the bucket has not answered yet, too.
    proxy.heal();
    proxy.inject({ when: asks.get, fault: { type: 'hang' } });
    const stop = new AbortController();
    const reading = store.read(key, { signal: stop.signal });
    await until(() => proxy.running === 1);
    stop.abort();
    await expect(within(500, 'the abort', reading)).rejects.toMatchObject({ name: 'AbortError' });
    await until(() => proxy.running === 0);
  });
});

async function append(staged: StagedObject, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += 50_000) await staged.append(bytes.subarray(at, at + 50_000));
}

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  return buffer(await store.read(key));
}

/** What `work` fails with. */
async function failure(work: () => Promise<unknown> | undefined): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

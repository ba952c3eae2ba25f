import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { BucketId } from '@carcosa/kernel';
import type { ObjectStore } from '@carcosa/storage/port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { radosgw } from '../../support/radosgw.ts';
import { BucketWorld } from './support.ts';

const gateway = await radosgw();

async function put(store: ObjectStore, key: string, bytes: Buffer): Promise<void> {
  const uploadId = `upl_${key.replaceAll(/[^A-Za-z0-9]/g, '')}`;
  const staged = await store.stage({ uploadId, key, size: bytes.length, contentType: 'a/b' });
  await staged.append(bytes);
  await staged.commit(key);
}

describe.skipIf(!gateway)('a bucket of an organization', () => {
  let world: BucketWorld;
  beforeAll(async () => {
    world = await BucketWorld.open();
    await world.addNode();
  });
  afterAll(() => world.close());
  const storeOn = (node: number, id: string) => {
    const { carcosa } = world.nodes[node] as (typeof world.nodes)[number];
    return carcosa.stores.storeFor(id as BucketId);
  };
  const bucket = async () => {
    if (!gateway) throw new Error('no gateway');
    return await gateway.bucket();
  };

  it('is opened with its sealed credentials, and holds files of projects', async () => {
    const config = await bucket();
    const made = await world.addBucket(config, { region: 'default', prefix: 'ours' });
    const store = await storeOn(0, made.id);
    await put(store, 'a/b~1', Buffer.from('kept'));
    expect((await buffer(await (await storeOn(1, made.id)).read('a/b~1'))).toString()).toBe('kept');
    const found = await world.carcosa.bucketExaminer.examine(world.user('owner'), made.id, {});
    expect(found).toMatchObject({ usable: true, problem: null });
    expect(found.rights.at(-1)).toMatchObject({ right: 'cors', status: 'missing' });
    const fix = await world.carcosa.bucketExaminer.fixCors(world.user('owner'), made.id, {
      origins: ['https://app.example'],
    });
    expect(fix).toMatchObject({ fixed: true, right: { right: 'cors', status: 'granted' } });
  });

  it('is opened anew on each node when its credentials change, while what has begun goes on', async () => {
    const config = await bucket();
    const made = await world.addBucket(config, { credentials: { accessKeyId: 'WRONG', secretAccessKey: 'WRONG' } });
    const before = await Promise.all([storeOn(0, made.id), storeOn(1, made.id)]);
    for (const store of before) await expect(store.stat('a')).rejects.toMatchObject({ code: 'storage_misconfigured' });
    const credentials = { accessKeyId: 'TESTKEY', secretAccessKey: 'TESTSECRET' };
    await world.carcosa.buckets.update(world.user('owner'), made.id, { credentials });
    // At once where it was changed, and everywhere else as soon as it is heard.
    expect(await (await storeOn(0, made.id)).stat('a')).toBeNull();
    const other = await until(async () => ((await storeOn(1, made.id)) !== before[1] ? storeOn(1, made.id) : null), {
      what: 'the other node to open the bucket anew',
    });
    expect(await other.stat('a')).toBeNull();
    // What began with the store of before is finished with it.
    const begun = { uploadId: 'upl_begun', key: 'begun~1', size: 5, contentType: 'a/b' };
    const staged = await other.stage(begun);
    await staged.append(Buffer.from('begun'));
    await world.carcosa.buckets.update(world.user('owner'), made.id, { credentials });
    await until(async () => (await storeOn(1, made.id)) !== other, {
      what: 'the other node to open the bucket once more',
    });
    await staged.commit(begun.key);
    expect((await buffer(await (await storeOn(1, made.id)).read(begun.key))).toString()).toBe('begun');
    const newest = await storeOn(1, made.id);
    // A name changes nothing of the way there.
    await world.carcosa.buckets.update(world.user('owner'), made.id, { name: randomUUID() });
    await world.nodes[1]?.carcosa.stores.refresh();
    expect(await storeOn(1, made.id)).toBe(newest);
  });

  it('is not opened any more when it was removed', async () => {
    const made = await world.addBucket(await bucket());
    await storeOn(0, made.id);
    await world.carcosa.buckets.remove(world.user('owner'), made.id);
    await expect(storeOn(0, made.id)).rejects.toMatchObject({ code: 'storage_misconfigured' });
  });

  it('in a private network is refused, unless whoever runs the server allows it', async () => {
    const guarded = await world.addNode({ CARCOSA_BUCKET_ALLOW_PRIVATE: '10.0.0.0/8' });
    const { port } = new URL(gateway?.endpoint ?? '');
    for (const host of ['127.0.0.1', 'localhost', '0x7f000001', '[::ffff:7f00:1]']) {
      const made = await world.addBucket({ ...(await bucket()), endpoint: `http://${host}:${port}` });
      const found = await guarded.carcosa.bucketExaminer.examine(world.user('owner'), made.id, {});
      expect(found.problem, host).toMatch(/private network.*CARCOSA_BUCKET_ALLOW_PRIVATE/);
      const store = await guarded.carcosa.stores.storeFor(made.id as BucketId);
      await expect(store.stat('a/b')).rejects.toMatchObject({ code: 'storage_misconfigured' });
      if (host !== '127.0.0.1') continue;
      const asked = await world.carcosa.bucketExaminer.examine(world.user('owner'), made.id, {});
      expect(asked.problem).toBeNull();
    }
  });

  it('says that a key is missing when none of this node opens its credentials', async () => {
    const keyed = await world.addNode({ CARCOSA_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}` });
    const made = await keyed.carcosa.buckets.create(world.user('owner'), world.s3Bucket());
    await expect(storeOn(0, made.id)).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/"k1".*CARCOSA_ENCRYPTION_KEYS/),
    });
  });

  it('whose credentials were moved to another row does not open', async () => {
    const [one, other] = [await world.addBucket(await bucket()), await world.addBucket(await bucket())];
    const move = 'update buckets set credentials = (select credentials from buckets where id = $1) where id = $2';
    await world.database.pool.query(move, [one.id, other.id]);
    await expect(storeOn(0, other.id)).rejects.toMatchObject({ code: 'configuration_invalid' });
    await storeOn(0, one.id);
  });
});

describe('a bucket that answers nobody', () => {
  it('is retried with what it is now', async () => {
    const world = await BucketWorld.open();
    try {
      const made = await world.carcosa.buckets.create(
        world.user('owner'),
        world.s3Bucket({ endpoint: 'http://127.0.0.1:1' }),
      );
      const found = await world.carcosa.bucketExaminer.examine(world.user('owner'), made.id, {});
      expect(found).toMatchObject({ usable: false, problem: expect.stringContaining('does not answer') });
      expect(new Set(found.rights.map(({ status }) => status))).toEqual(new Set(['unknown']));
    } finally {
      await world.close();
    }
  });
});

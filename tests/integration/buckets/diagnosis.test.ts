import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import {
  type CORSRule,
  GetBucketCorsCommand,
  ListObjectsV2Command,
  PutBucketCorsCommand,
  PutBucketPolicyCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { AddressGuard } from '@carcosa/kernel/node';
import { S3ObjectStore, type S3StoreConfig } from '@carcosa/storage/adapters/s3';
import type { BucketRight, Examination } from '@carcosa/storage/port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leftoversOf, radosgw } from '../../support/radosgw.ts';
import { asks, type FaultRule, S3FaultProxy, type SeenRequest } from '../../support/s3-fault-proxy.ts';

const gateway = await radosgw();
const ORIGIN = 'https://app.example.com';

/** What can be done in a bucket. The gateway does not follow NotAction. */
const S3_ACTIONS = [
  ...['GetObject', 'PutObject', 'DeleteObject', 'ListBucket', 'ListBucketMultipartUploads', 'ListMultipartUploadParts'],
  ...[
    'AbortMultipartUpload',
    'GetObjectVersion',
    'DeleteObjectVersion',
    'ListBucketVersions',
    'GetObjectAcl',
    'PutObjectAcl',
  ],
  ...[
    'GetObjectTagging',
    'PutObjectTagging',
    'DeleteObjectTagging',
    'GetBucketLocation',
    'GetBucketAcl',
    'PutBucketAcl',
  ],
  ...['GetBucketCORS', 'PutBucketCORS', 'GetBucketVersioning', 'PutBucketVersioning', 'GetLifecycleConfiguration'],
  ...['PutLifecycleConfiguration', 'GetBucketPolicy', 'DeleteBucket', 'RestoreObject'],
].map((name) => `s3:${name}`);

/** All actions of the policy in docs/buckets.md. */
function documentedActions(): string[] {
  const text = readFileSync(path.join(import.meta.dirname, '../../../docs/buckets.md'), 'utf8');
  const policy = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? '') as { Statement: { Action: string[] }[] };
  return policy.Statement.flatMap(({ Action }) => Action);
}

describe.skipIf(!gateway)('the examination of a bucket', () => {
  let proxy: S3FaultProxy;
  const stores: S3ObjectStore[] = [];
  beforeAll(async () => {
    proxy = await S3FaultProxy.start(gateway?.endpoint ?? '');
  });
  afterAll(async () => {
    for (const store of stores) await store.close();
    await proxy.close();
  });

  const makeBucket = async (): Promise<S3StoreConfig> => {
    if (!gateway) throw new Error('no gateway');
    return { ...(await gateway.bucket(proxy.url)), prefix: 'media/ours' };
  };
  const examine = async (config: S3StoreConfig, origins: string[] = []): Promise<Examination> => {
    const store = await S3ObjectStore.open(config);
    stores.push(store);
    return await store.diagnosis.examine({ origins });
  };
  const clientOf = ({ credentials, region }: S3StoreConfig) =>
    new S3Client({
      region,
      forcePathStyle: true,
      endpoint: gateway?.endpoint ?? '',
      ...(credentials ? { credentials } : {}),
    });
  const statuses = ({ rights }: Examination) => Object.fromEntries(rights.map(({ right, status }) => [right, status]));
  const all = (status: string, but: Partial<Record<BucketRight, string>> = {}) => ({
    ...Object.fromEntries(
      ['put', 'get', 'list', 'delete', 'multipart', 'presigned', 'cors'].map((right) => [right, status]),
    ),
    ...but,
  });
  /** A provider that denies some requests to everybody. */
  const denying = async (when: (seen: SeenRequest) => boolean, config: S3StoreConfig): Promise<Examination> => {
    const rule: FaultRule = {
      when,
      fault: { type: 'error', status: 403, code: 'AccessDenied' },
      times: Number.POSITIVE_INFINITY,
    };
    proxy.inject(rule);
    try {
      return await examine(config, [ORIGIN]);
    } finally {
      proxy.heal();
    }
  };

  const isUpload = ({ query }: SeenRequest) => query.has('uploads') || query.has('uploadId');
  const denials: [
    string,
    (seen: SeenRequest) => boolean,
    Partial<Record<BucketRight, string>>,
    BucketRight,
    string[],
  ][] = [
    [
      'put',
      (seen) => seen.method === 'PUT' && !isUpload(seen),
      { put: 'missing', multipart: 'unknown', presigned: 'unknown', cors: 'unknown' },
      'put',
      ['s3:PutObject'],
    ],
    ['get', asks.get, { get: 'missing' }, 'get', ['s3:GetObject']],
    ['list', (seen) => asks.list(seen) && seen.query.has('list-type'), { list: 'missing' }, 'list', ['s3:ListBucket']],
    [
      'delete',
      (seen) => seen.method === 'DELETE' && !isUpload(seen),
      { delete: 'missing' },
      'delete',
      ['s3:DeleteObject'],
    ],
    ['to begin in parts', asks.begin, { multipart: 'missing' }, 'multipart', ['s3:PutObject']],
    [
      'to list parts',
      (seen) => seen.method === 'GET' && seen.query.has('uploadId'),
      { multipart: 'missing' },
      'multipart',
      ['s3:ListMultipartUploadParts'],
    ],
    [
      'to list and abort what is in parts',
      (seen) => (seen.query.has('uploads') && seen.method === 'GET') || (seen.method === 'DELETE' && isUpload(seen)),
      { multipart: 'missing' },
      'multipart',
      ['s3:ListBucketMultipartUploads', 's3:AbortMultipartUpload'],
    ],
    [
      'presigned',
      (seen) => seen.method === 'PUT' && seen.query.has('X-Amz-Signature'),
      { presigned: 'missing', cors: 'unknown' },
      'presigned',
      ['s3:PutObject'],
    ],
  ];
  it.each(denials)('says what is missing where one may not %s', async (_name, when, but, right, actions) => {
    const found = await denying(when, await makeBucket());
    expect(found.problem).toBeNull();
    expect(statuses(found)).toEqual(all('granted', { cors: 'missing', ...but }));
    expect(found.rights.find((one) => one.right === right)).toMatchObject({ actions });
  });

  it('sees what a policy of the provider itself denies', async () => {
    const config = await makeBucket();
    const client = clientOf(config);
    const Resource = [`arn:aws:s3:::${config.bucket}`, `arn:aws:s3:::${config.bucket}/*`];
    const deny = { Effect: 'Deny', Principal: '*', Action: ['s3:DeleteObject'], Resource };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [deny] });
    await client.send(new PutBucketPolicyCommand({ Bucket: config.bucket, Policy }));
    const found = await examine(config);
    expect(statuses(found)).toEqual(all('granted', { delete: 'missing', cors: 'unknown' }));
    expect(found.rights.find(({ right }) => right === 'delete')?.message).toContain('media/ours/.carcosa/probe/');
    const left = await client.send(new ListObjectsV2Command({ Bucket: config.bucket }));
    expect(left.Contents?.every(({ Key }) => Key?.startsWith('media/ours/.carcosa/probe/'))).toBe(true);
    client.destroy();
  });

  describe('by the policy of the documentation', () => {
    /** A bucket where everything but these actions is denied to everybody. */
    const bucketWith = async (actions: readonly string[]): Promise<S3StoreConfig> => {
      const config = await makeBucket();
      const client = clientOf(config);
      const Resource = [`arn:aws:s3:::${config.bucket}`, `arn:aws:s3:::${config.bucket}/*`];
      const Action = S3_ACTIONS.filter((action) => !actions.includes(action));
      const deny = { Effect: 'Deny', Principal: '*', Action, Resource };
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [deny] });
      await client.send(new PutBucketPolicyCommand({ Bucket: config.bucket, Policy }));
      client.destroy();
      return config;
    };

    it('is complete, and so is what it allows', async () => {
      const config = await bucketWith(documentedActions());
      expect(statuses(await examine(config))).toEqual(all('granted', { cors: 'unknown' }));
      const store = await S3ObjectStore.open({ ...config, partSize: 128 * 1024 });
      stores.push(store);
      const bytes = randomBytes(700_000);
      const staged = await store.stage({ uploadId: 'upl_policy', key: 'a/b~1', size: null, contentType: 'a/b' });
      await staged.append(bytes);
      const durable = await staged.sync();
      await staged.close();
      const resumed = await store.resume(staged.ref, { durable, takeover: false });
      await resumed.append(bytes);
      await resumed.commit('a/b~1');
      await store.copy('a/b~1', 'a/b~2');
      expect(Buffer.compare(await buffer(await store.read('a/b~2')), Buffer.concat([bytes, bytes]))).toBe(0);
      await store.discard({ uploadId: 'upl_policy', key: 'a/b~1', ref: resumed.ref });
      for (const key of ['a/b~1', 'a/b~2']) await store.delete(key);
      const left: string[] = [];
      for await (const { key } of store.list('')) left.push(key);
      expect(left).toEqual([]);
    });

    it.each(documentedActions())('misses %s where that is taken away, and says so', async (action) => {
      const found = await examine(await bucketWith(documentedActions().filter((other) => other !== action)));
      expect(found.problem).toBeNull();
      expect(found.rights.flatMap(({ actions }) => actions)).toContain(action);
    });
  });

  it('says why nothing can be tried at all', async () => {
    const config = await makeBucket();
    const wrong: [Partial<S3StoreConfig>, RegExp][] = [
      [{ bucket: `no-${randomUUID()}` }, /no bucket of that name/],
      [{ credentials: { accessKeyId: 'NOBODY', secretAccessKey: 'x' } }, /does not know the access key id/],
      [{ credentials: { accessKeyId: 'TESTKEY', secretAccessKey: 'WRONG-MARK' } }, /secret access key is not/],
      [{ endpoint: 'http://127.0.0.1:1' }, /does not answer/],
      [{ endpoint: 'http://absent.invalid' }, /does not answer/],
    ];
    for (const [change, problem] of wrong) {
      const found = await examine({ ...config, ...change });
      expect(found.problem).toMatch(problem);
      expect(statuses(found)).toEqual(all('unknown'));
      expect(JSON.stringify(found)).not.toContain('WRONG-MARK');
    }
  });

  it('is refused where the address is private, however it is written', async () => {
    const guard = new AddressGuard({ allow: [], refuse: (host) => new Error(`private: ${host}`) });
    const { port } = new URL(gateway?.endpoint ?? '');
    for (const host of ['127.0.0.1', 'localhost', '0x7f000001', '[::ffff:7f00:1]', '2130706433']) {
      const store = await S3ObjectStore.open({
        ...(await makeBucket()),
        endpoint: `http://${host}:${port}`,
        guard,
        maxAttempts: 1,
      });
      stores.push(store);
      await expect(store.stat('a/b'), host).rejects.toMatchObject({
        cause: { message: expect.stringContaining('private: ') },
      });
    }
    const allowing = new AddressGuard({ allow: ['127.0.0.1'], refuse: () => new Error('private') });
    const found = await examine({ ...(await makeBucket()), guard: allowing });
    expect(statuses(found)).toEqual(all('granted', { cors: 'unknown' }));
  });

  describe('by pages of other origins', () => {
    it('is missing at first, and there when Carcosa has set the rule, beside the rules that were there', async () => {
      const config = await makeBucket();
      const client = clientOf(config);
      const others: CORSRule[] = [
        {
          AllowedOrigins: ['https://other.example'],
          AllowedMethods: ['GET', 'DELETE'],
          ExposeHeaders: ['x-own'],
          MaxAgeSeconds: 7,
        },
        // This one fits our page too, and does not expose ETag.
        { AllowedOrigins: ['https://*.example.com'], AllowedMethods: ['PUT', 'POST'], AllowedHeaders: ['*'] },
      ];
      const CORSConfiguration = { CORSRules: others };
      await client.send(new PutBucketCorsCommand({ Bucket: config.bucket, CORSConfiguration }));
      const before = await examine(config, [ORIGIN, 'https://stranger.test']);
      expect(before.rights.at(-1)).toMatchObject({ right: 'cors', status: 'missing' });
      expect(before.rights.at(-1)?.message).toMatch(
        /app\.example\.com: the header ETag is not exposed.*stranger\.test: the origin is not allowed/,
      );
      const store = await S3ObjectStore.open(config);
      stores.push(store);
      for (const origin of [ORIGIN, 'https://stranger.test'])
        expect(await store.diagnosis.allowOrigins?.([origin])).toMatchObject({ done: true });
      expect(statuses(await examine(config, [ORIGIN, 'https://stranger.test']))).toEqual(all('granted'));
      const { CORSRules = [] } = await client.send(new GetBucketCorsCommand({ Bucket: config.bucket }));
      expect(CORSRules).toHaveLength(3);
      expect(CORSRules.slice(1)).toMatchObject(others);
      expect(await leftoversOf(config)).toEqual([]);
      client.destroy();
    });

    it('is left to others where our key may not set the rule', async () => {
      const config = await makeBucket();
      const isCors = ({ query }: SeenRequest) => query.has('cors');
      proxy.inject({ when: isCors, fault: { type: 'error', status: 403, code: 'AccessDenied' }, times: 9 });
      const store = await S3ObjectStore.open(config);
      stores.push(store);
      const answer = await store.diagnosis.allowOrigins?.([ORIGIN]);
      proxy.heal();
      expect(answer).toMatchObject({ done: false, rule: { AllowedOrigins: [ORIGIN], ExposeHeaders: ['ETag'] } });
      expect(answer?.message).toContain('s3:PutBucketCORS');
    });
  });
});

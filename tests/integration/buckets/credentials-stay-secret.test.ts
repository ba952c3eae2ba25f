import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { CreateBucketBody } from '@carcosa/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { radosgw } from '../../support/radosgw.ts';
import { asks, S3FaultProxy } from '../../support/s3-fault-proxy.ts';
import { BucketWorld } from './support.ts';

const gateway = await radosgw();
const logs: string[] = [];
let world: BucketWorld;
beforeAll(async () => {
  world = await BucketWorld.open({ logTo: (line) => void logs.push(line) });
});
afterAll(() => world.close());

const mark = (): string => `MARK${randomBytes(24).toString('hex')}`;

/** Whatever a text could be turned into on its way out. */
const disguises = (secret: string): string[] => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('base64url'),
  Buffer.from(secret).toString('hex'),
];

/** An answer or error as an edge, a log or a person with a debugger would see it. */
const seen = (value: unknown): string => {
  const errors: unknown[] = [];
  for (let error = value; error instanceof Error; error = error.cause)
    errors.push(error.name, error.message, error.stack, { ...error });
  return JSON.stringify(errors.length > 0 ? errors : value);
};

it.skipIf(!gateway)(
  'no credential of a bucket is in a log line, an error, an audit entry, an answer, a table or a file',
  async () => {
    if (!gateway) return;
    const proxy = await S3FaultProxy.start(gateway.endpoint);
    const config = await gateway.bucket(proxy.url);
    const secrets: string[] = [];
    const marked = () => {
      const credentials = { accessKeyId: mark(), secretAccessKey: mark() };
      secrets.push(credentials.accessKeyId, credentials.secretAccessKey);
      return credentials;
    };
    const outputs: string[] = [];
    const keep = async <Result>(work: Promise<Result>): Promise<Result | null> => {
      const result = await work.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      outputs.push(seen('value' in result ? result.value : result.error));
      return 'value' in result ? result.value : null;
    };
    const owner = world.user('owner');
    const { buckets, bucketExaminer, stores, logger } = world.carcosa;
    const create = (input: object) =>
      keep(buckets.create(owner, { ...world.s3Bucket(), ...input } as CreateBucketBody));
    const place = { endpoint: proxy.url, bucket: config.bucket };

    // What is wrong in ways that quote what was sent: a taken name, fields of other forms, a secret in the place of another thing.
    const made = await create({ name: 'marked', ...place, credentials: marked() });
    await create({ name: 'marked', ...place, credentials: marked() });
    for (const wrong of [{ accessKeyId: `${mark()} x` }, { secretAccessKey: [marked()] }, { more: marked() }]) {
      const body = { ...world.s3Bucket(), credentials: { ...marked(), ...wrong } };
      await keep(Promise.resolve().then(() => CreateBucketBody.parse(body)));
    }
    const id = made?.id ?? '';
    // A provider that refuses us, in each way that it has, and at each step.
    await keep(bucketExaminer.examine(owner, id, {}));
    await keep(bucketExaminer.fixCors(owner, id, {}));
    const store = await stores.storeFor(id as Parameters<typeof stores.storeFor>[0]);
    const use = async () => {
      await keep(store.stat('a/b'));
      await keep(store.read('a/b'));
      await keep(store.stage({ uploadId: 'upl_x', key: 'a/b', size: 3, contentType: 'a/b' }));
      const error = await store.delete('a/b').catch((thrown: unknown) => thrown);
      outputs.push(seen(error));
      logger.error({ err: error }, 'request failed');
    };
    await use();
    const codes = ['AccessDenied', 'SignatureDoesNotMatch', 'InternalError', 'SlowDown'];
    for (const code of codes) {
      const status = code === 'InternalError' ? 500 : code === 'SlowDown' ? 503 : 403;
      proxy.inject({ when: asks.anything, fault: { type: 'error', status, code }, times: 4 });
      await use();
      await keep(bucketExaminer.examine(owner, id, {}));
      proxy.heal();
    }
    await keep(buckets.update(owner, id, { credentials: marked() }));
    await keep(buckets.update(world.user('viewer'), id, { credentials: marked() }));
    await keep(buckets.get(owner, id));
    await keep(buckets.list(owner, { limit: 50 }));
    await keep(world.carcosa.bucketSharing.share(owner, id, { teamId: world.teamId, access: 'admin' }));
    // Sealed bytes that are not what they were.
    await world.database.pool.query(
      `update buckets set credentials = set_byte(credentials, 60, get_byte(credentials, 60) # 1) where id = $1`,
      [id],
    );
    await stores.refresh();
    await keep(stores.storeFor(id as Parameters<typeof stores.storeFor>[0]));
    await keep(bucketExaminer.examine(owner, id, {}));
    await proxy.close();

    const { rows } = await world.database.pool.query<{ name: string }>(
      `select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
    );
    const places: [string, string][] = [
      ...logs.map((line): [string, string] => ['log', line]),
      ['answers', outputs.join('\n')],
    ];
    for (const { name } of rows) {
      const found = await world.database.pool.query(`select to_jsonb(t)::text as text from "${name}" t`);
      places.push([`table ${name}`, found.rows.map(({ text }) => text).join('\n')]);
    }
    for (const entry of await readdir(world.dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      places.push([`file ${entry.name}`, await readFile(path.join(entry.parentPath, entry.name), 'latin1')]);
    }
    // The search would find them: the table of entries is not empty, and neither is the log.
    expect(places.find(([name]) => name === 'table audit_entries')?.[1]).toContain('bucket.rotate-credentials');
    expect(logs.some((line) => line.includes('request failed'))).toBe(true);
    expect(secrets.length).toBeGreaterThan(10);
    const leaks = places.flatMap(([name, text]) =>
      secrets.flatMap((secret) =>
        disguises(secret).some((form) => text.includes(form)) ? [`${name}: ${text.slice(0, 500)}`] : [],
      ),
    );
    expect(leaks).toEqual([]);
  },
);

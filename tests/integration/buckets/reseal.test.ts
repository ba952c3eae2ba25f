import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { Queryable } from '@carcosa/database';
import { type EncryptionKey, KeyRing, keyIdOf, openCredentials, resealAll, Sealer } from '@carcosa/domain';
import { type BucketId, systemRandom } from '@carcosa/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { serverCommand } from '../../support/process.ts';
import { BucketWorld } from './support.ts';

/** That of test nodes. */
const ROOT = 'a root secret of 32 bytes or more';
const key = (id: string): EncryptionKey => ({ id, key: randomBytes(32) });
const sealer = (...keys: EncryptionKey[]) => new Sealer({ keyRing: new KeyRing(keys, ROOT), random: systemRandom });
const variable = (...keys: EncryptionKey[]) =>
  keys.map(({ id, key: bytes }) => `${id}:${Buffer.from(bytes).toString('base64')}`).join(',');

describe.each(databaseKinds())('resealing on %s', (kind) => {
  let world: BucketWorld;
  beforeEach(async () => {
    world = await BucketWorld.open({ kind });
  });
  afterEach(() => world.close());

  const addBuckets = async (count: number) => {
    // The key of a first start, which signs, is sealed too: here buckets alone count.
    await world.database.pool.query('update api_keys set sealed_token = null');
    for (let index = 0; index < count; index++) {
      const credentials = { accessKeyId: `KEY${index}`, secretAccessKey: `word-${index}` };
      await world.carcosa.buckets.create(world.user('owner'), world.s3Bucket({ credentials }));
    }
  };
  const stored = async () => {
    const { rows } = await world.database.pool.query<{ id: BucketId; credentials: Buffer }>(
      'select id, credentials from buckets where credentials is not null order by id',
    );
    return rows;
  };
  const keyIds = async () => (await stored()).map(({ credentials }) => keyIdOf(credentials));
  const opened = async (by: Sealer) => {
    const all = await Promise.all((await stored()).map((row) => openCredentials(by, row)));
    return all.map((credentials) => credentials?.secretAccessKey);
  };

  it('gives every secret the newest key, in batches, and then has nothing to do', async () => {
    await addBuckets(7);
    const [k1, k2] = [key('k1'), key('k2')];
    const words = Array.from({ length: 7 }, (_, index) => `word-${index}`);
    const { pool: db } = world.database;
    expect(await keyIds()).toEqual(Array(7).fill('root'));
    expect(await resealAll({ db, sealer: sealer(k1), batch: 3 })).toEqual({ resealed: 7, failed: [] });
    expect(await keyIds()).toEqual(Array(7).fill('k1'));
    expect(await resealAll({ db, sealer: sealer(k2, k1), batch: 3 })).toEqual({ resealed: 7, failed: [] });
    // The older key is not needed any more.
    expect(await opened(sealer(k2))).toEqual(words);
    const before = await stored();
    expect(await resealAll({ db, sealer: sealer(k2), batch: 3 })).toEqual({ resealed: 0, failed: [] });
    expect(await stored()).toEqual(before);
  });

  it('goes on where it was ended', async () => {
    await addBuckets(6);
    const [k1, { pool }] = [key('k1'), world.database];
    let updates = 0;
    const dying: Queryable = {
      query: (text, values) => {
        if (String(text).startsWith('update') && ++updates > 2) throw new Error('killed');
        return pool.query(text as string, values);
      },
    };
    await expect(resealAll({ db: dying, sealer: sealer(k1), batch: 2 })).rejects.toThrow('killed');
    expect((await keyIds()).filter((id) => id === 'k1')).toHaveLength(2);
    expect(await resealAll({ db: pool, sealer: sealer(k1), batch: 2 })).toEqual({ resealed: 4, failed: [] });
    expect(await opened(sealer(k1))).toHaveLength(6);
  });

  it('never undoes what somebody changes meanwhile', async () => {
    await addBuckets(4);
    const [k1, { pool }] = [key('k1'), world.database];
    const [, second] = await stored();
    let changed = false;
    const racing: Queryable = {
      query: async (text, values) => {
        if (String(text).startsWith('update') && values?.[0] === second?.id && !changed) {
          changed = true;
          const credentials = { accessKeyId: 'NEW', secretAccessKey: 'new-word' };
          await world.carcosa.buckets.update(world.user('owner'), second?.id ?? '', { credentials });
        }
        return pool.query(text as string, values);
      },
    };
    expect(await resealAll({ db: racing, sealer: sealer(k1) })).toEqual({ resealed: 3, failed: [] });
    expect(await opened(sealer(k1))).toEqual(['word-0', 'new-word', 'word-2', 'word-3']);
  });

  it('says which secrets no key opens, and does the others', async () => {
    await addBuckets(3);
    const [lost, k2, { pool: db }] = [key('lost'), key('k2'), world.database];
    await resealAll({ db, sealer: sealer(lost) });
    await world.carcosa.buckets.create(world.user('owner'), world.s3Bucket());
    const report = await resealAll({ db, sealer: sealer(k2) });
    expect(report.resealed).toBe(1);
    expect(report.failed).toHaveLength(3);
    expect(report.failed[0]).toMatchObject({ kind: 'bucket', problem: expect.stringContaining('"lost"') });
    expect((await keyIds()).sort()).toEqual(['k2', 'lost', 'lost', 'lost']);
  });

  it('is a command of the server, beside nodes that run', async () => {
    await addBuckets(3);
    const [k1, k2] = [key('k1'), key('k2')];
    const command = async (env: Record<string, string>) => {
      const { PATH, HOME } = process.env;
      const base = {
        DATABASE_URL: world.database.connectionString,
        CARCOSA_DATA_DIR: world.dataDir,
        CARCOSA_SECRET: ROOT,
      };
      const options = { env: { PATH, HOME, ...base, ...env } };
      const run = promisify(execFile)(process.execPath, [...serverCommand(), 'reseal'], options);
      return await run.then(
        ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
        ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
      );
    };
    expect(await command({ CARCOSA_ENCRYPTION_KEYS: variable(k1) })).toMatchObject({
      ...{ code: 0, stdout: '3 secrets are now sealed with the key "k1".\n' },
    });
    const failed = await command({ CARCOSA_ENCRYPTION_KEYS: variable(k2) });
    expect(failed).toMatchObject({ code: 1, stdout: '0 secrets are now sealed with the key "k2".\n' });
    expect(failed.stderr).toMatch(/Not resealed: bucket bkt_\w+: .*"k1".*CARCOSA_ENCRYPTION_KEYS/);
    const wrong = await command({ CARCOSA_ENCRYPTION_KEYS: 'k1:c2hvcnQ=' });
    expect(wrong).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Cannot reseal: CARCOSA_ENCRYPTION_KEYS must be keys/),
    });
    expect(wrong.stderr).not.toContain('c2hvcnQ=');
    const node = await world.addNode({ CARCOSA_ENCRYPTION_KEYS: variable(k2, k1) });
    const [first] = await stored();
    await expect(node.carcosa.stores.storeFor(first?.id as BucketId)).resolves.toMatchObject({ provider: 's3' });
  });
});

import type { S3StoreConfig } from '@carcosa/storage/adapters/s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { abortUnfinished, collect } from '../support/bucket-on-disk.ts';
import { CRASH_DOORS, type CrashDoor, type Entry, newEntry, upload } from '../support/crash-ledger.ts';
import { completeUpload, threePartSize } from '../support/direct.ts';
import { expectIntact, findByPath, listAll, serve } from '../support/files.ts';
import { leftoversOf, objectsOf, radosgw } from '../support/radosgw.ts';
import { asks, type FaultRule, S3FaultProxy } from '../support/s3-fault-proxy.ts';
import { type Server, startServer } from '../support/server.ts';
import { tusOffset } from '../support/tus.ts';

const gateway = await radosgw();

describe.skipIf(!gateway)('with a bucket of a real S3 server (Debian: ceph-mon ceph-osd radosgw)', () => {
  let proxy: S3FaultProxy;
  let bucket: S3StoreConfig;
  let server: Server;
  let multipartSize: number;

  beforeAll(async () => {
    if (!gateway) return;
    proxy = await S3FaultProxy.start(gateway.endpoint);
    bucket = await gateway.bucket(proxy.url);
    const { credentials } = bucket;
    server = await startServer({
      env: {
        CARCOSA_S3_ENDPOINT: proxy.url,
        CARCOSA_S3_REGION: bucket.region,
        CARCOSA_S3_BUCKET: bucket.bucket,
        CARCOSA_S3_ACCESS_KEY_ID: credentials?.accessKeyId,
        CARCOSA_S3_SECRET_ACCESS_KEY: credentials?.secretAccessKey,
        CARCOSA_S3_FORCE_PATH_STYLE: 'true',
      },
    });
    multipartSize = await threePartSize(server);
    await abortUnfinished(server);
  });
  afterAll(async () => {
    await server?.stop();
    await proxy?.close();
  });

  const sizeFor = (door: CrashDoor): number =>
    door === 'parts' ? multipartSize : door === 'tus' ? 21_000_000 : 300_000;

  /** What a client does that was told of a failure: goes on where it can, sends again where it must. */
  async function tryAgain(entry: Entry): Promise<void> {
    if (entry.door === 'tus' && entry.address) {
      // The acknowledgement of the last byte may have been lost: then the file is there.
      entry.offset = await tusOffset(server, entry.address);
      if (entry.offset === entry.bytes.length) return;
    } else if (entry.init) {
      const again = await completeUpload(server, entry.init.uploadId);
      if (again.status === 200) return;
      entry.parts = [];
    }
    await upload(server, entry);
  }

  async function expectStoredAndNothingElse(entry: Entry): Promise<void> {
    const file = await findByPath(server, entry.path);
    expect(file, `${entry.path} is there`).toBeDefined();
    if (file) await expectIntact(server, file, entry.bytes);
    await abortUnfinished(server);
    await collect(server);
    const files = await listAll(server);
    const versions = files.reduce((sum, { version }) => sum + version, 0);
    expect(await objectsOf(bucket), 'one object for each version').toHaveLength(versions);
  }

  it.each(CRASH_DOORS)('takes and gives files by the door %s', async (door) => {
    const entry = newEntry(door, `plain/${door}.bin`, sizeFor(door));
    await upload(server, entry);
    await expectStoredAndNothingElse(entry);
  });

  it('serves by redirect to a presigned address where the project is set so', async () => {
    const entry = newEntry('raw', 'redirected.bin', 70_000);
    await upload(server, entry);
    const file = await findByPath(server, entry.path);
    await server.api('PATCH', `/projects/${server.projectId}`, { json: { settings: { delivery: 'redirect' } } });
    try {
      const answer = await serve(server, file?.url ?? '');
      expect(answer.status).toBe(302);
      const bytes = Buffer.from(await (await fetch(answer.headers.get('location') ?? '')).arrayBuffer());
      expect(bytes.equals(Buffer.from(entry.bytes))).toBe(true);
    } finally {
      await server.api('PATCH', `/projects/${server.projectId}`, { json: { settings: { delivery: 'stream' } } });
    }
  });

  it('learns the SHA-256 of a direct upload in a job', async () => {
    const entry = newEntry('single', 'hashed-later.bin', 100_000);
    await upload(server, entry);
    await expect
      .poll(async () => (await findByPath(server, entry.path))?.sha256, { timeout: 30_000, interval: 200 })
      .toMatch(/^[0-9a-f]{64}$/);
    const file = await findByPath(server, entry.path);
    if (file) await expectIntact(server, file, entry.bytes);
  });

  const always = 50;
  const FAULTS: [string, FaultRule][] = [
    [
      '500 on every write',
      { when: writes, fault: { type: 'error', status: 500, code: 'InternalError' }, times: always },
    ],
    ['503 SlowDown once', { when: writes, fault: { type: 'error', status: 503, code: 'SlowDown' } }],
    [
      '503 SlowDown on every write',
      { when: writes, fault: { type: 'error', status: 503, code: 'SlowDown' }, times: always },
    ],
    ['a wrong ETag', { when: ours, fault: { type: 'wrong-etag' } }],
    [
      '200 with an error on complete',
      { when: asks.complete, fault: { type: 'error-in-200', code: 'InternalError' }, times: always },
    ],
    ['the answer to complete lost', { when: asks.complete, fault: { type: 'drop-after' } }],
    ['the answers to all completes lost', { when: asks.complete, fault: { type: 'drop-after' }, times: always }],
    ['the answer to a write lost', { when: writes, fault: { type: 'drop-after' } }],
    [
      'connections that break before anything arrives',
      { when: asks.anything, fault: { type: 'drop-before' }, times: 2 },
    ],
    ['an answer to HEAD lost', { when: asks.head, fault: { type: 'drop-after' }, times: always }],
  ];

  describe.each(FAULTS)('when there is %s', (name, rule) => {
    it.each(CRASH_DOORS)('the door %s tells it or does without, and the client can go on', async (door) => {
      const entry = newEntry(door, `${name.replaceAll(' ', '-')}/${door}.bin`, sizeFor(door));
      proxy.heal();
      proxy.inject(rule);
      const failure: unknown = await upload(server, entry).catch((error: unknown) => error ?? true);
      proxy.heal();
      expect((await server.request('/ready')).status, 'the server is still up').toBe(200);
      if (failure) await tryAgain(entry);
      await expectStoredAndNothingElse(entry);
    });
  });

  it('leaves nothing of its own in the bucket', async () => {
    await abortUnfinished(server);
    await collect(server);
    const left = await leftoversOf(bucket);
    // A presigned PUT may still come until its address expires: its place is collected then.
    expect(left.filter((key) => !key.startsWith('.carcosa/incoming/'))).toEqual([]);
  });
});

function writes(seen: Parameters<FaultRule['when']>[0]): boolean {
  return seen.method === 'PUT' || seen.method === 'POST';
}

/** Uploads of ours; the client's own PUTs answer to the client. */
function ours(seen: Parameters<FaultRule['when']>[0]): boolean {
  return seen.method === 'PUT' && !seen.query.has('X-Amz-Signature');
}

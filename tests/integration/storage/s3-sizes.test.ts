import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { ListPartsCommand, S3Client } from '@aws-sdk/client-s3';
import { S3ObjectStore, type S3StoreConfig } from '@carcosa/storage/adapters/s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { radosgw } from '../../support/radosgw.ts';
import { patternBytes, sha256, unique } from '../../support/random.ts';

const gateway = await radosgw();
const MIB = 1024 * 1024;

describe.skipIf(!gateway)('an S3 bucket at real sizes', () => {
  let config: S3StoreConfig;
  beforeAll(async () => {
    if (gateway) config = await gateway.bucket();
  });

  it('cuts an upload into parts of one size, whatever the requests that brought it', async () => {
    const store = await S3ObjectStore.open(config);
    const bytes = patternBytes('parts', 27 * MIB + 5);
    const key = `org/${unique('key')}`;
    let staged = await store.stage({ uploadId: unique('upl'), key, size: bytes.length, contentType: 'video/mp4' });
    for (const end of [5 * MIB, 13 * MIB, 14 * MIB, bytes.length]) {
      await staged.append(bytes.subarray(staged.length, end));
      await staged.sync();
      if (end === bytes.length) break;
      await staged.close();
      staged = await store.resume(staged.ref, { durable: end, takeover: false });
    }
    expect(await partSizes(config, key, String(staged.ref.multipart))).toEqual([
      8 * MIB,
      8 * MIB,
      8 * MIB,
      3 * MIB + 5,
    ]);
    expect(await staged.sha256()).toBe(sha256(bytes));
    await staged.commit(key);
    const again = await S3ObjectStore.open({ ...config, copyLimit: 9 * MIB });
    await again.copy(key, `${key}-copy`);
    expect((await again.stat(`${key}-copy`))?.size).toBe(bytes.length);
    expect((await again.stat(`${key}-copy`))?.etag).not.toBe((await again.stat(key))?.etag);
    const range = { start: 9 * MIB - 10, end: 9 * MIB + 9 };
    const chunks: Buffer[] = [];
    for await (const chunk of await again.read(`${key}-copy`, { range })) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes.subarray(range.start, range.end + 1))).toBe(true);
    await store.close();
    await again.close();
  });

  it('holds three parts of an upload in memory, however large it is', async () => {
    const worker = path.join(import.meta.dirname, '../../support/s3-memory-worker.ts');
    const child = spawn(process.execPath, [...process.execArgv, worker, JSON.stringify(config), String(192 * MIB)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
    const { growth, uploaded, downloaded } = JSON.parse(output);
    expect(downloaded).toBe(uploaded);
    // Three parts of 8 MiB, and what the collector has not looked at yet.
    expect(growth.upload).toBeLessThan(80 * MIB);
    expect(growth.download).toBeLessThan(160 * MIB);
  });
});

async function partSizes(config: S3StoreConfig, key: string, uploadId: string): Promise<(number | undefined)[]> {
  const { region, endpoint, credentials } = config;
  const client = new S3Client({
    region,
    forcePathStyle: true,
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials } : {}),
  });
  const { Parts } = await client.send(new ListPartsCommand({ Bucket: config.bucket, Key: key, UploadId: uploadId }));
  client.destroy();
  return (Parts ?? []).map(({ Size }) => Size);
}

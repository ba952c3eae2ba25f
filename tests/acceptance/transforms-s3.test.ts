import { readdir } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { put, serve } from '../support/files.ts';
import { radosgw } from '../support/radosgw.ts';
import { type Server, startServer } from '../support/server.ts';

const gateway = await radosgw();

describe.skipIf(!gateway)('a picture in a bucket at a real S3 server', () => {
  let server: Server;
  beforeAll(async () => {
    if (!gateway) return;
    const { endpoint, region, bucket, credentials } = await gateway.bucket();
    server = await startServer({
      env: {
        CARCOSA_S3_ENDPOINT: endpoint ?? gateway.endpoint,
        CARCOSA_S3_REGION: region,
        CARCOSA_S3_BUCKET: bucket,
        CARCOSA_S3_ACCESS_KEY_ID: credentials?.accessKeyId ?? '',
        CARCOSA_S3_SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? '',
      },
    });
  });
  afterAll(() => server?.stop());

  const get = (steps: string, name: string) => serve(server, `/t/${server.projectId}/${steps}/${name}`);
  const unfinished = () => readdir(path.join(server.dataDir, 'transforms', 'unfinished'));

  it('is made of a copy, which does not stay', async () => {
    const photo = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3a6' } })
      .jpeg()
      .toBuffer();
    await put(server, photo, { path: 'far.jpg', visibility: 'public' });
    await put(server, photo.subarray(0, photo.length - 300), { path: 'torn.jpg', visibility: 'public' });
    const answer = await get('w_60,f_webp', 'far.jpg');
    expect([answer.status, answer.headers.get('x-cache')]).toEqual([200, 'MISS']);
    expect(answer.bytes.equals(await sharp(photo).resize(60).webp({ quality: 80, effort: 2 }).toBuffer())).toBe(true);
    expect((await get('w_60,f_webp', 'far.jpg')).headers.get('x-cache')).toBe('HIT');
    expect((await get('w_60,f_webp', 'torn.jpg')).status).toBe(422);
    expect(await unfinished()).toEqual([]);
  });
});

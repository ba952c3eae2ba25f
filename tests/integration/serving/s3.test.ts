import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { radosgw } from '../../support/radosgw.ts';
import { expectSame, pattern, type ServingNode, ServingWorld } from './support.ts';

const gateway = await radosgw();
const bytes = pattern(6_000_000);

describe.skipIf(!gateway)('a bucket at a real S3 server (Ceph radosgw)', () => {
  let world: ServingWorld;
  let node: ServingNode;
  beforeAll(async () => {
    if (!gateway) return;
    const { endpoint, region, bucket, credentials } = await gateway.bucket();
    world = await ServingWorld.open({
      env: {
        CARCOSA_S3_ENDPOINT: endpoint ?? gateway.endpoint,
        CARCOSA_S3_REGION: region,
        CARCOSA_S3_BUCKET: bucket,
        CARCOSA_S3_ACCESS_KEY_ID: credentials?.accessKeyId ?? '',
        CARCOSA_S3_SECRET_ACCESS_KEY: credentials?.secretAccessKey ?? '',
      },
    });
    node = world.node;
  });
  afterAll(() => world?.close());

  it('is streamed, whole and in ranges', async () => {
    const { url } = await node.put('streamed.bin', bytes);
    expectSame(await node.bytes(url), bytes);
    const range = await node.get(url, { range: 'bytes=-1000' });
    expect([range.status, range.headers.get('content-range')]).toEqual([206, 'bytes 5999000-5999999/6000000']);
    expectSame(Buffer.from(await range.arrayBuffer()), bytes.subarray(-1000));
    expect((await node.get(url, { 'if-none-match': range.headers.get('etag') ?? '' })).status).toBe(304);
  });

  it('is redirected to, where it answers with our type and name, and to nobody without the address', async () => {
    const file = await node.put('naïve.txt', 'hello', { type: 'text/plain' });
    await node.setting({ delivery: 'redirect' });
    const redirect = await node.get(`${file.url}?download`);
    expect(redirect.status).toBe(302);
    const location = redirect.headers.get('location') ?? '';
    const answer = await fetch(location, { headers: { range: 'bytes=1-3' } });
    expect([answer.status, await answer.text()]).toEqual([206, 'ell']);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.headers.get('content-disposition')).toBe(
      `attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`,
    );
    expect((await fetch(location.split('?', 1)[0] ?? '')).status).toBe(403);
  });
});

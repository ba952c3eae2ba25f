import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { until } from '../support/clock.ts';
import { put, type Served, serve } from '../support/files.ts';
import { register } from '../support/people.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo, SignedUrl } from '../support/wire.ts';
import { makeEstate } from './tree/estate.ts';

let server: Server;
let photo: Buffer;
let file: FileInfo;
let secret: FileInfo;

const noise = (width: number, height: number) =>
  sharp({
    create: { width, height, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 50 }, background: '#777' },
  }).blur(2);

beforeAll(async () => {
  server = await startServer();
  photo = await noise(640, 480).jpeg().toBuffer();
  file = await put(server, photo, { path: 'photos/süß 1.jpg', visibility: 'public' });
  secret = await put(server, photo, { path: 'photos/secret.jpg', visibility: 'private' });
});
afterAll(() => server.stop());

const at = (name: string): string => name.split('/').map(encodeURIComponent).join('/');
const short = (steps: string, name = file.path): string => `/t/${server.projectId}/${steps}/${at(name)}`;
const long = (query: string, name = file.path): string =>
  `/api/v1/transform/${server.projectId}/${at(name)}${query && `?${query}`}`;
const get = (address: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Served> =>
  serve(server, address, { headers, method });
const withKey = (key = server.apiKey) => ({ authorization: `Bearer ${key}` });
const errorOf = ({ bytes }: Served): string => (JSON.parse(bytes.toString()) as { error: string }).error;

/** What lies in the folder of results, whole or not. */
async function kept(): Promise<string[]> {
  const found = await readdir(path.join(server.dataDir, 'transforms'), { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('a picture by its address', () => {
  it('is what the library makes of the original, in both forms of address', async () => {
    const expected = await sharp(photo).resize(200, 100).webp({ quality: 80, effort: 2 }).toBuffer();
    const answers = [
      await get(long('w=200&h=100&format=webp&quality=80')),
      await get(long('height=100&width=200&fit=cover&f=webp')),
      await get(short('w_200,h_100,f_webp')),
      await get(short('f_webp,w_100,h_50,dpr_2')),
    ];
    for (const { status, headers, bytes } of answers) {
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('image/webp');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-length')).toBe(String(bytes.length));
      expect(headers.get('x-processing-time')).toMatch(/^\d+$/);
      expect(bytes.equals(expected)).toBe(true);
    }
    expect(answers.map(({ headers }) => headers.get('x-cache'))).toEqual(['MISS', 'HIT', 'HIT', 'HIT']);
    expect(new Set(answers.map(({ headers }) => headers.get('etag'))).size).toBe(1);
  });

  it('comes in the best format that the client accepts, where the address leaves it open', async () => {
    for (const [accept, type] of [
      ['image/avif,image/webp,*/*', 'image/avif'],
      ['image/webp,*/*', 'image/webp'],
      ['image/avif;q=0, image/webp', 'image/webp'],
      ['*/*', 'image/jpeg'],
    ] as const) {
      const answer = await get(long('w=90&format=auto'), { accept });
      expect([answer.headers.get('content-type'), answer.headers.get('vary')]).toEqual([
        type,
        expect.stringContaining('Accept'),
      ]);
    }
  });

  it('answers HEAD with the same headers and no body', async () => {
    const address = short('w_33');
    const [head, full] = [await get(address, {}, 'HEAD'), await get(address)];
    expect([head.status, head.bytes.length]).toEqual([200, 0]);
    for (const name of ['content-length', 'content-type', 'etag', 'cache-control', 'last-modified']) {
      expect([name, head.headers.get(name)]).toEqual([name, full.headers.get(name)]);
    }
  });

  it('is asked for again at the bare address once the file has been replaced', async () => {
    const options = { path: 'photos/replaced.jpg', visibility: 'public' } as const;
    await put(server, photo, options);
    await put(server, await noise(64, 64).jpeg().toBuffer(), options);
    const bare = await get(short('w_32', options.path));
    expect(bare.headers.get('cache-control')).toBe('public, max-age=0, must-revalidate');
    const versioned = await get(`${short('w_32', options.path)}?v=2`);
    expect(versioned.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  it('is revalidated by ETag, and kept for ever', async () => {
    const first = await get(short('w_44'));
    expect(first.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    const again = await get(short('w_44'), { 'if-none-match': first.headers.get('etag') ?? '' });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect(again.headers.get('etag')).toBe(first.headers.get('etag'));
    const versioned = await get(`${short('w_44')}?v=1`);
    expect(versioned.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect((await get(`${short('w_44')}?v=99`)).status).toBe(404);
    expect((await get(short('w_44'), { 'if-match': '"other"' })).status).toBe(412);
  });

  it('is made once for sixteen who ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 16 }, () => get(short('w_321,f_png'))));
    const caches = answers.map(({ headers }) => headers.get('x-cache'));
    expect(caches.filter((each) => each === 'MISS')).toHaveLength(1);
    for (const { status, bytes } of answers) {
      expect(status).toBe(200);
      expect(bytes.equals((answers[0] as Served).bytes)).toBe(true);
    }
  });

  it('comes whole when it is large', async () => {
    const address = short('w_1200,enlarge,f_png');
    const answers = [await get(address), await get(address), await get(address, {}, 'HEAD')];
    const expected = await sharp(photo).resize(1200).png().toBuffer();
    expect(expected.length).toBeGreaterThan(1024 * 1024);
    for (const { bytes } of answers.slice(0, 2)) expect(bytes.equals(expected)).toBe(true);
    expect(answers[2]?.headers.get('content-length')).toBe(String(expected.length));
  });

  it('leaves no process behind when the server is killed', async () => {
    await get(short('w_66'));
    const children = (await readFile(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')).trim().split(' ');
    const commands = await Promise.all(children.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8')));
    const workers = children.filter((_pid, at) => commands[at]?.includes('image-worker'));
    expect(workers.length).toBeGreaterThan(0);
    await server.restart({ signal: 'SIGKILL' });
    const isGone = async (pid: string): Promise<boolean> =>
      !(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes('image-worker');
    await until(async () => (await Promise.all(workers.map(isGone))).every(Boolean));
    expect((await get(short('w_67'))).status).toBe(200);
  });

  it('is there still after a restart', async () => {
    const before = await get(short('w_55'));
    expect(before.headers.get('x-cache')).toBe('MISS');
    await server.restart();
    const after = await get(short('w_55'));
    expect(after.headers.get('x-cache')).toBe('HIT');
    expect(after.bytes.equals(before.bytes)).toBe(true);
  });

  it('follows the file when it is deleted and another one takes its path', async () => {
    const [red, blue] = await Promise.all(
      ['#f00', '#00f'].map((background) =>
        sharp({ create: { width: 50, height: 50, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const old = await put(server, red as Buffer, { path: 'swap.png', visibility: 'public' });
    const address = short('w_10', 'swap.png');
    const first = await get(address);
    await server.api('DELETE', `/files/${old.id}`);
    expect((await get(address)).status).toBe(404);
    await put(server, blue as Buffer, { path: 'swap.png', visibility: 'public' });
    const second = await get(address, { 'if-none-match': first.headers.get('etag') ?? '' });
    expect(second.status).toBe(200);
    const { data } = await sharp(second.bytes).raw().toBuffer({ resolveWithObject: true });
    expect([...data.subarray(0, 3)]).toEqual([0, 0, 255]);
  });

  it.each(['w=0', 'w=30000', 'fit=odd', 'w=1&w=2', 'x=1', 'format=exe', 'crop=600x0x100x100'])(
    'refuses %s with 400, to be kept by nobody',
    async (query) => {
      const answer = await get(long(query));
      expect([answer.status, errorOf(answer)]).toEqual([400, 'invalid_request']);
      expect(answer.headers.get('cache-control') ?? '').not.toContain('max-age=3');
      expect(answer.headers.get('etag')).toBeNull();
    },
  );
});

describe('a private file', () => {
  const steps = 'w_20';

  it('does not exist for strangers, whatever they guess', async () => {
    const missing = await get(short(steps, 'photos/nothing.jpg'));
    for (const address of [short(steps, secret.path), long('w=20', secret.path)]) {
      const answer = await get(address);
      expect([answer.status, errorOf(answer)]).toEqual([missing.status, errorOf(missing)]);
      expect(answer.status).toBe(404);
    }
    const forged = 'expires=4102444800&signature=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    for (const name of [secret.path, 'photos/nothing.jpg']) {
      const answer = await get(`${short(steps, name)}?${forged}`);
      expect([answer.status, errorOf(answer)]).toEqual([403, 'signature_invalid']);
    }
  });

  it('opens by its signed address, and is kept by no shared cache', async () => {
    const signed = expectData(
      await server.api<SignedUrl>('POST', `/files/${secret.id}/signed-url`, { json: { expiresIn: 600 } }),
      201,
    );
    const answer = await get(`${short(steps, secret.path)}${new URL(signed.url).search}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toMatch(/^private, max-age=(600|5\d\d), immutable$/);
    const other = `${short(steps, 'photos/other.jpg')}${new URL(signed.url).search}`;
    expect((await get(other)).status).toBe(403);
  });

  it('opens for a key that may read files or transform, not for another', async () => {
    const keyWith = async (permissions: string[], restrictions: object = {}): Promise<string> => {
      const json = { name: 'test', permissions, ...restrictions };
      return expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201).key;
    };
    for (const permission of ['files:read', 'transforms:execute']) {
      const answer = await get(short(steps, secret.path), withKey(await keyWith([permission])));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toMatch(/^private/);
    }
    const wrong = withKey(await keyWith(['usage:read']));
    expect((await get(short(steps, secret.path), wrong)).status).toBe(403);
    expect((await get(short(steps), wrong)).status, 'what is public is so for everybody').toBe(200);
    expect((await get(short(steps), withKey('sk_wrong_key'))).status).toBe(401);
    const [inside, outside] = await Promise.all(
      ['photos', 'elsewhere'].map((pathPrefix) => keyWith(['files:read'], { restrictions: { pathPrefix } })),
    );
    expect((await get(short(steps, secret.path), withKey(inside))).status).toBe(200);
    expect((await get(short(steps, secret.path), withKey(outside))).status).toBe(404);
  });

  it('does not exist for those of another organization', async () => {
    // The first who registers runs the server, and owns the project.
    const owner = await register(server);
    expect((await get(short(steps, secret.path), withKey(owner.accessToken))).status).toBe(200);
    const thief = await makeEstate(server, 'Thief');
    for (const key of [thief.key, thief.tenantKey, thief.tenantToken, thief.owner.accessToken]) {
      for (const address of [short(steps, secret.path), `${short(steps, secret.path)}?tenantId=${thief.ids.tenant}`]) {
        expect((await get(address, withKey(key))).status).toBe(404);
      }
    }
    const cookie = await get(short(steps), { cookie: 'carcosa_access=nonsense', origin: 'https://evil.example' });
    expect(cookie.status, 'a cookie that is no good makes a stranger').toBe(200);
  });
});

describe('hostile files', () => {
  const SVG =
    '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>';

  it.each<[string, () => Promise<Buffer>, number]>([
    ['a drawing with entities', async () => Buffer.from(SVG), 422],
    ['text that says it is a picture', async () => Buffer.from('no picture'), 415],
    ['an empty file', async () => Buffer.alloc(0), 415],
    ['a truncated picture', async () => photo.subarray(0, photo.length / 2), 422],
    [
      'the head of a picture and rubbish',
      async () => Buffer.concat([photo.subarray(0, 300), Buffer.alloc(9000, 7)]),
      422,
    ],
    ['a bomb', () => bomb(), 413],
  ])('%s is refused, nothing is written, and the server goes on', async (name, bytes, status) => {
    const hostile = await put(server, await bytes(), {
      path: `hostile/${name}.png`,
      contentType: 'image/png',
      visibility: 'public',
    });
    const before = await kept();
    const answer = await get(short('w_100,f_webp', hostile.path));
    expect(answer.status, answer.bytes.toString()).toBe(status);
    expect(answer.bytes.toString(), 'nothing of the machine').not.toContain(server.dataDir);
    expect(await kept()).toEqual(before);
    expect((await server.request('/health')).status).toBe(200);
    expect((await get(short('w_20'))).status).toBe(200);
  });

  /** 225 million pixels that have to be in memory at once, in half a megabyte. */
  function bomb(): Promise<Buffer> {
    return sharp({ create: { width: 15_000, height: 15_000, channels: 3, background: '#123' } })
      .png({ progressive: true, compressionLevel: 9 })
      .toBuffer();
  }
});

it('lets a stranger have only so many different pictures of one file made', async () => {
  const cheap = await put(server, await noise(200, 200).png().toBuffer(), { path: 'many.png', visibility: 'public' });
  const statuses = new Map<number, number>();
  for (let width = 1; width <= 105; width++) {
    const { status } = await get(short(`w_${width}`, cheap.path));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  expect([...statuses]).toEqual([
    [200, 100],
    [429, 5],
  ]);
  expect((await get(short('w_50', cheap.path))).status, 'what was made is still served').toBe(200);
  expect((await get(short('w_104', cheap.path), withKey())).status, 'who has a key may have more').toBe(200);
});

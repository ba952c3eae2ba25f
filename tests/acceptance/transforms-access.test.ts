import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { until } from '../support/clock.ts';
import { put, type Served, serve } from '../support/files.ts';
import { register } from '../support/people.ts';
import { type Server, startServer } from '../support/server.ts';

interface Statistics {
  hits: { memory: number; disk: number; shared: number };
  misses: number;
  reduced: { made: number; used: number };
  cache: { entries: number; purged: number };
}

let server: Server;
let photo: Buffer;
let adminToken: string;

const solid = (background: string, width = 64, height = 48) =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();

beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8' } });
  adminToken = (await register(server)).accessToken;
  photo = await sharp({
    create: {
      width: 320,
      height: 200,
      channels: 3,
      noise: { type: 'gaussian', mean: 128, sigma: 50 },
      background: '#777',
    },
  })
    .blur(2)
    .withExif({ IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 31/1 7/1' } })
    .jpeg()
    .toBuffer();
  await put(server, photo, { path: 'open.jpg', visibility: 'public' });
  await put(server, photo, { path: 'secret.jpg', visibility: 'private' });
});
afterAll(() => server.stop());

const get = (address: string, headers: Record<string, string> = {}): Promise<Served> =>
  serve(server, address, { headers });
const short = (steps: string, name = 'open.jpg'): string => `/t/${server.projectId}/${steps}/${name}`;
const withKey = (key = server.apiKey) => ({ authorization: `Bearer ${key}` });
const outcome = ({ status, bytes }: Served) =>
  status < 400 ? String(status) : `${status} ${(JSON.parse(bytes.toString()) as { error: string }).error}`;
const colour = async ({ bytes }: Served, x = 1, y = 1): Promise<number[]> => {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)].map((each) => (each > 128 ? 1 : 0));
};
const set = async (settings: object) =>
  expectData(await server.api('PATCH', `/projects/${server.projectId}`, { json: { settings } }));
const statistics = async (): Promise<Statistics> =>
  expectData(await server.api<Statistics>('GET', '/transform-statistics', { key: adminToken }));
const sign = async (json: object): Promise<string> => {
  const { url } = expectData(await server.api<{ url: string }>('POST', '/transform/sign', { json }), 201);
  const { pathname, search } = new URL(url);
  return pathname + search;
};

describe('presets', () => {
  it('stand for their steps, and change for everybody at once', async () => {
    const made = expectData(
      await server.api<{ id: string; steps: string }>('POST', '/transform-presets', {
        json: { name: 'Thumb', steps: 'h_30,w_40,f_jpg,q_80' },
      }),
      201,
    );
    expect(made.steps).toBe('f_jpeg,h_30,w_40');
    const [named, spelled] = [await get(short('preset_Thumb')), await get(short('w_40,h_30,f_jpeg'))];
    expect(named.bytes.equals(spelled.bytes)).toBe(true);
    expect(spelled.headers.get('x-cache')).toBe('HIT');
    expect(named.headers.get('cache-control'), 'it may come to mean something else').toBe(
      'public, max-age=0, must-revalidate',
    );
    expect((await sharp((await get(short('preset_Thumb,w_20'))).bytes).metadata()).width).toBe(20);
    expectData(await server.api('PATCH', `/transform-presets/${made.id}`, { json: { steps: 'w_16' } }));
    const changed = await get(short('preset_Thumb'), { 'if-none-match': named.headers.get('etag') ?? '' });
    expect((await sharp(changed.bytes).metadata()).width).toBe(16);
    expect((await server.api('POST', '/transform-presets', { json: { name: 'Thumb', steps: 'w_1' } })).status).toBe(
      409,
    );
    const { items } = expectData(await server.api<{ items: unknown[] }>('GET', '/transform-presets'));
    expect(items).toMatchObject([{ name: 'Thumb', steps: 'w_16' }]);
    expect((await server.api('DELETE', `/transform-presets/${made.id}`)).status).toBe(204);
    expect(outcome(await get(short('preset_Thumb')))).toBe('400 invalid_request');
  });

  it.each(['w_0', 'preset_Other', 'x'])('are not made of %s', async (steps) => {
    expect((await server.api('POST', '/transform-presets', { json: { name: 'Bad', steps } })).status).toBe(400);
  });
});

describe('what a project allows', () => {
  it('is any steps, some widths, presets, or nothing without a signature', async () => {
    await server.api('POST', '/transform-presets', { json: { name: 'icon', steps: 'w_8,blur' } });
    const addresses = [
      'w_100',
      'w_100,h_300,fit_inside,g_north,f_webp',
      'w_101',
      'w_100,blur',
      'w_50,dpr_2',
      'preset_icon',
      'preset_icon,f_png',
      'preset_icon,w_9',
      'original',
    ];
    const table: Record<string, string[]> = {};
    for (const [name, settings] of Object.entries({
      open: { transformAccess: 'open', transformWidths: null },
      widths: { transformAccess: 'open', transformWidths: [100, 300] },
      presets: { transformAccess: 'presets', transformWidths: null },
      signed: { transformAccess: 'signed', transformWidths: null },
    })) {
      await set(settings);
      const allowed = [];
      for (const steps of addresses) {
        const answer = outcome(await get(short(steps)));
        if (answer === '200') allowed.push(steps);
        else expect(answer).toBe('403 transform_not_allowed');
        expect((await get(short(steps), withKey())).status, 'a key with transforms:execute').toBe(200);
        expect((await get(await sign({ path: 'open.jpg', steps }))).status, 'a signed address').toBe(200);
      }
      table[name] = allowed;
    }
    expect(table).toEqual({
      open: addresses,
      widths: [
        'w_100',
        'w_100,h_300,fit_inside,g_north,f_webp',
        'w_50,dpr_2',
        'preset_icon',
        'preset_icon,f_png',
        'original',
      ],
      presets: ['preset_icon', 'preset_icon,f_png'],
      signed: [],
    });
    await set({ transformAccess: 'open' });
  });

  it('holds for what was answered before, and for people and keys without that permission', async () => {
    const address = short('w_77');
    for (let times = 0; times < 3; times++) expect((await get(address)).status).toBe(200);
    await set({ transformAccess: 'signed' });
    expect(outcome(await get(address))).toBe('403 transform_not_allowed');
    const json = { name: 'reader', permissions: ['files:read'] };
    const { key } = expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201);
    expect(outcome(await get(address, withKey(key)))).toBe('403 transform_not_allowed');
    await set({ transformAccess: 'open' });
    expect((await get(address)).status).toBe(200);
  });
});

describe('a signed address', () => {
  it('opens one picture of a private file, however it is spelled, and nothing else', async () => {
    const address = await sign({ path: 'secret.jpg', steps: 'w_30,f_webp', expiresIn: 600 });
    const answer = await get(address);
    expect(outcome(answer)).toBe('200');
    expect(answer.headers.get('cache-control')).toMatch(/^private, max-age=(600|5\d\d), immutable$/);
    const { search } = new URL(address, server.url);
    expect((await get(`${short('f_webp,h_false,w_30'.replace('h_false,', ''), 'secret.jpg')}${search}`)).status).toBe(
      200,
    );
    expect(
      (await get(`/api/v1/transform/${server.projectId}/secret.jpg${search}&width=30&format=webp&quality=80`)).status,
    ).toBe(200);
    for (const other of [
      short('w_31,f_webp', 'secret.jpg') + search,
      short('w_30,f_webp', 'open.jpg') + search,
      address.replace(/expires=\d+/, 'expires=4102444800'),
      address.replace(/&?expires=\d+/, ''),
      `${address}&v=1`,
      `${address}&tenantId=ten_1`,
      `${address.slice(0, -1)}${address.endsWith('A') ? 'B' : 'A'}`,
    ])
      expect(outcome(await get(other)), other).toBe('403 signature_invalid');
  });

  it('can be made with the key of the project, until it is rotated', async () => {
    const { key } = expectData(await server.api<{ key: string }>('GET', `/projects/${server.projectId}/transform-key`));
    const lines = ['transform', server.projectId, '', 'secret.jpg', '', '', 'f_webp,text_50%25%2C%20now,w_30'];
    const signature = createHmac('sha256', Buffer.from(key, 'base64url')).update(lines.join('\n')).digest('base64url');
    const address = `${short('f_webp,text_50%2525%252C%20now,w_30', 'secret.jpg')}?s=${signature}`;
    expect(outcome(await get(address))).toBe('200');
    await server.api('POST', `/projects/${server.projectId}/rotate-signing-key`);
    expect(outcome(await get(address))).toBe('403 signature_invalid');
  });

  it('is given only to who may read what it shows', async () => {
    const json = { name: 'inside', permissions: ['transforms:execute'], restrictions: { pathPrefix: 'inside' } };
    const { key } = expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201);
    const ask = (body: object) => server.api('POST', '/transform/sign', { key, json: body });
    await put(server, photo, { path: 'inside/own.jpg', visibility: 'private' });
    expect((await ask({ path: 'inside/own.jpg', steps: 'w_5' })).status).toBe(201);
    expect((await ask({ path: 'secret.jpg', steps: 'w_5' })).status).toBe(404);
    expect((await ask({ path: 'inside/own.jpg', steps: 'w_5,overlay_secret.jpg' })).status).toBe(404);
    expect((await ask({ path: 'inside/own.jpg', steps: 'w_5,keep_gps' })).status).toBe(403);
  });
});

describe('overlays and focal points', () => {
  it('take another file that one may read, and follow it when it changes', async () => {
    await put(server, await solid('#000', 100, 100), { path: 'ground.png', visibility: 'public' });
    await put(server, await solid('#f00', 20, 20), { path: 'marks/logo.png', visibility: 'public' });
    await put(server, await solid('#0f0', 20, 20), { path: 'marks/secret.png', visibility: 'private' });
    const address = short('overlay_marks%2Flogo.png,og_northwest,f_png', 'ground.png');
    const red = await get(address);
    expect(await colour(red)).toEqual([1, 0, 0]);
    expect(red.headers.get('cache-control')).toContain('immutable');
    expect((await get(address)).headers.get('x-cache')).toBe('HIT');
    await put(server, await solid('#00f', 20, 20), { path: 'marks/logo.png', visibility: 'public' });
    const blue = await get(address);
    expect(await colour(blue)).toEqual([0, 0, 1]);
    expect(blue.headers.get('cache-control')).not.toContain('immutable');
    const secret = short('overlay_marks%2Fsecret.png,og_northwest,f_png', 'ground.png');
    expect([outcome(await get(secret)), outcome(await get(secret.replace('secret', 'nothing')))]).toEqual([
      '404 not_found',
      '404 not_found',
    ]);
    const mine = await get(secret, withKey());
    expect(await colour(mine)).toEqual([0, 1, 0]);
    expect(mine.headers.get('cache-control')).toMatch(/^private/);
    expect(outcome(await get(secret)), 'also when somebody else has had it').toBe('404 not_found');
  });

  it('keep what is stored with the file as its focal point', async () => {
    const left = await sharp(await solid('#f00', 100, 100))
      .extend({ right: 100, background: '#00f' })
      .png()
      .toBuffer();
    const file = await put(server, left, { path: 'halves.png', visibility: 'public' });
    const address = short('w_20,h_100,g_focal', 'halves.png');
    const at = async (focalPoint: unknown) => {
      expectData(await server.api('PATCH', `/files/${file.id}`, { json: { metadata: { focalPoint } } }));
      return await colour(await get(address));
    };
    expect(await at({ x: 0, y: 0.5 })).toEqual([1, 0, 0]);
    expect(await at({ x: 1, y: 0.5 })).toEqual([0, 0, 1]);
    expect((await get(address)).headers.get('cache-control')).not.toContain('immutable');
    expect(
      (await server.api('PATCH', `/files/${file.id}`, { json: { metadata: { focalPoint: 'left' } } })).status,
    ).toBe(400);
  });
});

it('tells where a picture was taken only to who may read files', async () => {
  expect(outcome(await get(short('keep_gps')))).toBe('403 forbidden');
  const plain = await sharp((await get(short('keep_exif'))).bytes).metadata();
  expect(plain.exif?.toString('latin1') ?? '').not.toContain('GPS');
  const asked = await get(short('keep_gps'), withKey());
  expect((await sharp(asked.bytes).metadata()).exif?.length ?? 0).toBeGreaterThan(20);
  expect(outcome(await get(short('keep_gps'))), 'also when it is kept').toBe('403 forbidden');
});

describe('what is kept', () => {
  it('goes when the file is replaced or deleted, and when somebody says so', async () => {
    const file = await put(server, await solid('#f00'), { path: 'purged.png', visibility: 'public' });
    const address = short('w_10', 'purged.png');
    await get(address);
    expect((await get(address)).headers.get('x-cache')).toBe('HIT');
    expect((await server.api('POST', `/files/${file.id}/purge-transforms`)).status).toBe(204);
    await until(async () => (await get(address)).headers.get('x-cache') === 'MISS');
    expect((await get(address)).headers.get('x-cache')).toBe('HIT');
    expect((await server.api('POST', `/projects/${server.projectId}/purge-transforms`)).status).toBe(204);
    await until(async () => (await get(address)).headers.get('x-cache') === 'MISS');
    const { cache: before } = await statistics();
    await put(server, await solid('#00f'), { path: 'purged.png', visibility: 'public' });
    await until(async () => (await statistics()).cache.purged > before.purged);
    expect(await colour(await get(address))).toEqual([0, 0, 1]);
    const { cache: then } = await statistics();
    await server.api('DELETE', `/files/${file.id}`);
    await until(async () => (await statistics()).cache.purged > then.purged);
    expect((await get(address)).status).toBe(404);
  });

  it('is counted, in the route and in the metrics', async () => {
    const before = await statistics();
    const address = short('w_91');
    for (let times = 0; times < 4; times++) await get(address);
    const after = await statistics();
    expect(after.misses - before.misses).toBe(1);
    expect(after.hits.memory - before.hits.memory).toBe(3);
    const metrics = await (await server.request('/metrics')).text();
    expect(metrics).toContain('carcosa_transforms_total{result="memory"}');
    expect((await server.api('GET', '/transform-statistics')).status).toBe(403);
  });

  it('has a smaller copy of a large original, of which other sizes are made alike', async () => {
    const large = await sharp({
      create: {
        width: 3600,
        height: 2400,
        channels: 3,
        noise: { type: 'gaussian', mean: 128, sigma: 40 },
        background: '#777',
      },
    })
      .blur(6)
      .jpeg()
      .toBuffer();
    await put(server, large, { path: 'large.jpg', visibility: 'public' });
    const before = await statistics();
    await get(short('w_400,f_png', 'large.jpg'));
    await until(async () => (await statistics()).reduced.made > before.reduced.made);
    const answer = await get(short('w_300,f_png', 'large.jpg'));
    expect((await statistics()).reduced.used).toBeGreaterThan(before.reduced.used);
    const [made, direct] = await Promise.all(
      [answer.bytes, await sharp(large).resize(300).png().toBuffer()].map((each) => sharp(each).raw().toBuffer()),
    );
    const squares = (made as Buffer).reduce(
      (sum, value, at) => sum + (value - ((direct as Buffer)[at] as number)) ** 2,
      0,
    );
    const psnr = 10 * Math.log10(255 ** 2 / (squares / (made as Buffer).length));
    expect(psnr).toBeGreaterThan(40);
    const area = await get(short('crop_0x0x10x10,f_png', 'large.jpg'));
    expect(
      area.bytes.equals(await sharp(large).extract({ left: 0, top: 0, width: 10, height: 10 }).png().toBuffer()),
    ).toBe(true);
  });
});

describe('many addresses', () => {
  const resident = async (): Promise<number> =>
    Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024;

  it('of one transform lead to one result', async () => {
    const spellings = [
      ...['w_60,h_44,f_webp', 'f_webp,h_44,w_60', 'width_60,height_44,format_webp', 'w_30,h_22,dpr_2,f_webp'],
      ...['w_60,h_44,f_webp,q_80', 'w_60,h_44,f_webp,fit_cover', 'w_60,h_44,f_webp,g_centre,flip_false,blur_0'],
      ...['w_60,h_44,f_webp,rotate_720,hue_-360', 'w_60,h_44,f_webp,page_1,brightness_1.000,ox_9'],
    ];
    const queries = ['w=60&h=44&f=webp', 'h=44&format=webp&width=60&strip=true&enlarge=0', 'dpr=0.5&w=120&h=88&f=webp'];
    const before = await statistics();
    const answers = await Promise.all([
      ...spellings.map((steps) => get(short(steps))),
      ...queries.map((query) => get(`/api/v1/transform/${server.projectId}/open.jpg?${query}`)),
    ]);
    expect(new Set(answers.map(({ headers }) => headers.get('etag'))).size).toBe(1);
    // A small result is answered before it lies on the disk.
    await until(async () => (await statistics()).cache.entries > before.cache.entries);
    const after = await statistics();
    expect([after.misses - before.misses, after.cache.entries - before.cache.entries]).toEqual([1, 1]);
  });

  it('of a million transforms make a hundred pictures, and no memory grow', async () => {
    await put(server, await solid('#123456', 20, 20), { path: 'million.png', visibility: 'public' });
    const before = { ...(await statistics()), resident: await resident() };
    const statuses = new Map<number, number>();
    // One in a thousand or so of what a loop over five steps would ask for.
    for (let at = 0; at < 800; at += 8) {
      const steps = Array.from({ length: 8 }, (_, offset) => at + offset);
      const answers = await Promise.all(
        steps.map((each) =>
          get(
            short(
              `w_${1 + (each % 20)},blur_${1 + (each % 7)},hue_${each % 360},q_${1 + (each % 99)},f_webp`,
              'million.png',
            ),
          ),
        ),
      );
      for (const { status, headers } of answers) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status === 429) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      }
    }
    expect([...statuses].sort()).toEqual([
      [200, 100],
      [429, 700],
    ]);
    await until(async () => (await statistics()).cache.entries >= before.cache.entries + 100);
    const after = await statistics();
    expect(after.misses - before.misses).toBe(100);
    expect(after.cache.entries - before.cache.entries).toBe(100);
    expect((await resident()) - before.resident).toBeLessThan(100 * 1024 * 1024);
    expect((await get(await sign({ path: 'million.png', steps: 'w_19,blur_50' }))).status, 'a signed one').toBe(200);
  });

  it('count by who asks, also where the answer is remembered', async () => {
    const limit = (transform: number | null) =>
      server.api('PATCH', '/rate-limits', { key: adminToken, json: { transform } });
    const address = short('w_61');
    for (let times = 0; times < 3; times++) expect((await get(address)).status).toBe(200);
    expectData(await limit(6));
    const statuses = [];
    for (let times = 0; times < 9; times++) statuses.push((await get(address)).status);
    expect(statuses.slice(-3)).toEqual([429, 429, 429]);
    const answer = await get(address);
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    expectData(await limit(null));
    const again = await get(address, { 'x-request-id': 'request-of-mine' });
    expect([again.status, again.headers.get('x-request-id')]).toEqual([200, 'request-of-mine']);
  });
});

describe('pictures from elsewhere', () => {
  let elsewhere: HttpServer;
  let origin: string;
  let asked: string[];
  const answers: Record<string, (response: import('node:http').ServerResponse) => void> = {
    '/a.png': (response) => void solid('#0f0').then((bytes) => response.end(bytes)),
    '/lying.png': (response) => response.writeHead(200, { 'content-type': 'image/png' }).end('<html>no picture</html>'),
    '/missing.png': (response) => response.writeHead(404).end(),
    '/once': (response) => response.writeHead(302, { location: '/a.png' }).end(),
    '/round': (response) => response.writeHead(302, { location: '/round' }).end(),
    '/away': (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
    '/file': (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    '/endless': (response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(1024 * 1024)));
        response.once('drain', more);
      };
      more();
    },
  };
  beforeAll(async () => {
    asked = [];
    elsewhere = createServer((request, response) => {
      asked.push(request.url ?? '');
      (answers[request.url ?? ''] ?? answers['/missing.png'])?.(response);
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    elsewhere.closeAllConnections();
    elsewhere.close();
  });
  const remote = (url: string, steps = 'w_10,f_png') =>
    `/t/${server.projectId}/${steps}?url=${encodeURIComponent(url)}`;

  it('are made only of hosts that the project names', async () => {
    expect(outcome(await get(remote(`${origin}/a.png`)))).toBe('403 transform_not_allowed');
    expect(asked).toEqual([]);
    await set({ transformHosts: [new URL(origin).host] });
    const answer = await get(remote(`${origin}/a.png`));
    expect(outcome(answer)).toBe('200');
    expect(await colour(answer)).toEqual([0, 1, 0]);
    expect((await get(remote(`${origin}/a.png`))).headers.get('x-cache')).toBe('HIT');
    expect(asked).toEqual(['/a.png']);
    expect((await get(await sign({ url: `${origin}/a.png`, steps: 'w_11' }))).status).toBe(200);
    expect(
      (
        await server.api('PATCH', `/projects/${server.projectId}`, {
          json: { settings: { transformHosts: ['http://a'] } },
        })
      ).status,
    ).toBe(400);
  });

  it.each([
    ['/once', '200'],
    ['/missing.png', '502 remote_unavailable'],
    ['/lying.png', '415 unsupported_media_type'],
    ['/round', '502 remote_unavailable'],
    ['/away', '403 transform_not_allowed'],
    ['/file', '400 invalid_request'],
    ['/endless', '413 image_too_large'],
  ])('%s is answered with %s', async (path, expected) => {
    await set({ transformHosts: [new URL(origin).host] });
    expect(outcome(await get(remote(`${origin}${path}`)))).toBe(expected);
  });

  it('never come from a private network, whatever its name', async () => {
    const names = ['169.254.169.254', '10.0.0.1', '[::ffff:a9fe:a9fe]', '[fd00::1]', '0x0a000001'];
    const hosts = names.map((name) => new URL(`http://${name}`).hostname).filter((name) => !name.startsWith('['));
    await set({ transformHosts: hosts });
    for (const name of names)
      expect(outcome(await get(remote(`http://${name}/a.png`))), name).toBe('403 transform_not_allowed');
    expect(outcome(await get(remote('ftp://127.0.0.1/a')))).toBe('400 invalid_request');
    expect(outcome(await get(`${short('w_1')}?url=http://127.0.0.1/`))).toBe('400 invalid_request');
  });
});

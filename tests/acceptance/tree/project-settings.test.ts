import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { register } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';
import { type Estate, liftLimits, makeEstate } from './estate.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const PNG: Bytes = Uint8Array.from(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
    'base64',
  ),
);
/** Says that it is a picture, and is none. */
const LIAR: Bytes = new TextEncoder().encode('<script>alert(1)</script>');

let server: Server;
let estate: Estate;
beforeAll(async () => {
  server = await startServer();
  await liftLimits(await register(server));
  estate = await makeEstate(server, 'Settings');
}, 60_000);
afterAll(() => server.stop());

const set = async (settings: object) =>
  expectData(await estate.owner.call('PATCH', `/projects/${estate.ids.project}`, { json: { settings } }));

interface Outcome {
  status: number;
  error?: string | undefined;
}

async function outcomeOf(response: Response): Promise<Outcome> {
  const text = await response.text();
  const error = response.status < 400 || text === '' ? undefined : (JSON.parse(text) as { error: string }).error;
  return { status: response.status, error };
}

const authorization = () => ({ authorization: `Bearer ${estate.key}` });
const tus = () => ({ ...authorization(), 'tus-resumable': '1.0.0' });
const CHUNK = 'application/offset+octet-stream';

/** What comes of the bytes at a door, whatever they are said to be. */
const DOORS: Record<string, (bytes: Bytes) => Promise<Outcome>> = {
  simple: async (body) =>
    outcomeOf(
      await server.request('/api/v1/files', {
        method: 'POST',
        headers: { ...authorization(), 'content-type': 'image/png' },
        body,
      }),
    ),
  form: async (bytes) => {
    const body = new FormData();
    body.append('file', new Blob([bytes], { type: 'image/png' }), 'a.png');
    return outcomeOf(await server.request('/api/v1/files', { method: 'POST', headers: authorization(), body }));
  },
  tus: async (body) =>
    outcomeOf(
      await server.request('/api/v1/tus', {
        method: 'POST',
        headers: { ...tus(), 'upload-length': String(body.length), 'content-type': CHUNK },
        body,
      }),
    ),
  'tus with its length told last': async (body) => {
    const made = await server.request('/api/v1/tus', {
      method: 'POST',
      headers: { ...tus(), 'upload-defer-length': '1' },
    });
    const place = new URL(made.headers.get('location') ?? '', server.url).pathname;
    const headers = { ...tus(), 'upload-offset': '0', 'upload-length': String(body.length), 'content-type': CHUNK };
    return outcomeOf(await server.request(place, { method: 'PATCH', headers, body }));
  },
  direct: async (body) => {
    const init = await server.api<{ uploadId: string; url: string; headers: Record<string, string> }>(
      'POST',
      '/uploads/init',
      {
        key: estate.key,
        json: { fileName: 'a.png', contentType: 'image/png', size: body.length },
      },
    );
    if (init.status !== 201) return { status: init.status, error: (init.body as { error: string }).error };
    const { uploadId, url, headers } = init.data;
    expect((await fetch(url, { method: 'PUT', headers, body })).status).toBe(200);
    return outcomeOf(
      await server.request(`/api/v1/uploads/${uploadId}/complete`, {
        method: 'POST',
        headers: { ...authorization(), 'content-type': 'application/json' },
        body: '{}',
      }),
    );
  },
};

describe.each(Object.keys(DOORS))('the %s door', (door) => {
  const send = (bytes: Bytes): Promise<Outcome> => DOORS[door]?.(bytes) as Promise<Outcome>;
  const count = async () =>
    (await server.api<{ items: unknown[] }>('GET', '/files', { key: estate.key, query: { limit: 1000 } })).data.items
      .length;

  it('takes what the project takes, by the bytes', async () => {
    await set({ allowedTypes: ['image/*'], maxFileSize: null });
    expect((await send(PNG)).status).toBeLessThan(300);
    const before = await count();
    expect(await send(LIAR)).toEqual({ status: 415, error: 'file_type_not_allowed' });
    expect(await count()).toBe(before);
  });

  it('takes no more bytes than the project takes', async () => {
    await set({ allowedTypes: null, maxFileSize: 1000 });
    expect((await send(new Uint8Array(1000))).status).toBeLessThan(300);
    const before = await count();
    expect((await send(new Uint8Array(1001))).status).toBe(413);
    expect((await send(new Uint8Array(600_000))).status).toBe(413);
    expect(await count()).toBe(before);
  });
});

describe('what was refused', () => {
  it('leaves nothing behind', async () => {
    const local = server.apiKey;
    expectData(await server.api('POST', '/uploads/collect', { key: local }));
    const open = await server.api<{ items: { offset: number }[] }>('GET', '/uploads', { key: estate.key });
    // Some wait for a length that the project takes; none has bytes.
    expect(open.data.items.filter(({ offset }) => offset > 0)).toEqual([]);
  });
});

describe('allowedOrigins', () => {
  it('lets pages of these origins use keys and tokens, and other programs as before', async () => {
    await set({ allowedOrigins: ['https://shop.example.com'] });
    const from = async (key: string, origin?: string) =>
      (await server.api('GET', '/files', { key, ...(origin ? { headers: { origin } } : {}) })).status;
    for (const key of [estate.key, estate.tenantToken]) {
      expect([await from(key, 'https://shop.example.com'), await from(key)]).toEqual([200, 200]);
      expect([await from(key, 'https://evil.example.com'), await from(key, 'null')]).toEqual([403, 403]);
    }
    await set({ allowedOrigins: null });
    expect(await from(estate.key, 'https://evil.example.com')).toBe(200);
  });
});

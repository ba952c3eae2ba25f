import { LIMIT_TIERS, type LimitTier, type RateLimitOverrides } from '@carcosa/contracts';
import { REFUSALS_TO_BLOCK } from '@carcosa/domain';
import { ManualClock } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { ServingWorld } from '../serving/support.ts';

const HOUR = 3_600_000;

let world: ServingWorld;
let url: string;
/** Of the default project: `admin`, with the usual limits. */
let plain: string;
/** As the one that a first start writes to local.json. */
let raised: string;
const clock = new ManualClock(Date.UTC(2026, 5, 1));

beforeAll(async () => {
  world = await ServingWorld.open({ clock, env: { CARCOSA_TRUSTED_PROXIES: '127.0.0.2' } });
  url = world.node.url;
  plain = await newKey();
  raised = await newKey(1000);
});
afterAll(() => world.close());

async function newKey(limitFactor = 1): Promise<string> {
  const { carcosa, projectId } = world.node;
  const { token } = await carcosa.apiKeys.create({ projectId, label: 'test', permissions: ['admin'], limitFactor });
  return token;
}

const call = (method: string, path: string, key: string | null, init: RequestInit & { json?: unknown } = {}) =>
  fetch(`${url}${path}`, {
    method,
    ...init,
    headers: {
      ...(key === null ? {} : { 'x-api-key': key }),
      ...(init.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(init.headers as Record<string, string> | undefined),
    },
    ...(init.json === undefined ? {} : { body: JSON.stringify(init.json) }),
  });

const change = (overrides: RateLimitOverrides) => call('PATCH', '/api/v1/rate-limits', raised, { json: overrides });

const limitsOf = (response: Response) => ({
  limit: Number(response.headers.get('x-ratelimit-limit')),
  remaining: Number(response.headers.get('x-ratelimit-remaining')),
});

describe('tiers', () => {
  it.each<[LimitTier, string, string]>([
    ['read', 'GET', '/api/v1/projects'],
    ['read', 'GET', '/api/v1/files/file_00000000000000000000000000'],
    ['write', 'POST', '/api/v1/files?path=x'],
    ['write', 'POST', '/api/v1/uploads/init'],
    ['write', 'PATCH', '/api/v1/files/file_00000000000000000000000000'],
    ['standard', 'PATCH', '/api/v1/projects/prj_00000000000000000000000000'],
    ['delete', 'DELETE', '/api/v1/files/file_00000000000000000000000000'],
    ['expensive', 'POST', '/api/v1/files/bulk'],
    ['admin', 'POST', '/api/v1/uploads/collect'],
    ['download', 'GET', '/api/v1/files/file_00000000000000000000000000/download'],
    ['unauthenticated', 'GET', '/'],
  ])('%s limits %s %s', async (tier, method, path) => {
    const key = await newKey();
    const answer = await call(method, path, key);
    const { limit } = LIMIT_TIERS[tier];
    expect(limitsOf(answer)).toEqual({ limit, remaining: limit - 1 });
    const reset = Number(answer.headers.get('x-ratelimit-reset')) * 1000 - clock.now();
    const window = LIMIT_TIERS[tier].windowSeconds * 1000;
    expect(reset).toBeGreaterThan(0);
    expect(reset).toBeLessThanOrEqual((window * 16) / 15);
    // Another key begins anew; the same one goes on, and a key with a factor has so many times more.
    if (tier === 'unauthenticated') return;
    expect(limitsOf(await call(method, path, key)).remaining).toBe(limit - 2);
    expect(limitsOf(await call(method, path, await newKey())).remaining).toBe(limit - 1);
    expect(limitsOf(await call(method, path, raised)).limit).toBe(limit * 1000);
  });

  it('refuse with 429, say when to come again, and let pass from then on', async () => {
    const key = await newKey();
    const path = '/api/v1/files/file_00000000000000000000000000';
    for (let each = 0; each < LIMIT_TIERS.delete.limit; each++)
      expect((await call('DELETE', path, key)).status).toBe(404);
    const refused = await call('DELETE', path, key);
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ error: 'rate_limited', details: { tier: 'delete', limit: 50 } });
    expect(limitsOf(refused).remaining).toBe(0);
    const wait = Number(refused.headers.get('retry-after'));
    expect(Number(refused.headers.get('x-ratelimit-reset'))).toBe(clock.now() / 1000 + wait);
    expect((await call('GET', path, key)).status, 'other tiers go on').toBe(404);
    clock.advance(wait * 1000 - 1000);
    expect((await call('DELETE', path, key)).status).toBe(429);
    clock.advance(1000);
    expect((await call('DELETE', path, key)).status).toBe(404);
  });

  it('count the chunks of one upload as one request, through every door', async () => {
    const key = await newKey();
    const used = async () => limitsOf(await call('POST', '/api/v1/files/x/copy', key)).remaining;
    const tus = { 'tus-resumable': '1.0.0' };
    const before = await used();
    const created = await call('POST', '/api/v1/tus', key, { headers: { ...tus, 'upload-length': '20' } });
    const location = created.headers.get('location') as string;
    for (let offset = 0; offset < 20; offset++) {
      const headers = { ...tus, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' };
      const chunk = await call('PATCH', location, key, { headers, body: 'x' });
      expect(chunk.status).toBe(204);
      expect(chunk.headers.has('x-ratelimit-limit')).toBe(false);
      expect((await call('HEAD', location, key, { headers: tus })).headers.has('x-ratelimit-limit')).toBe(false);
    }
    const size = 33 * 1024 * 1024;
    const init = await call('POST', '/api/v1/uploads/init', key, { json: { fileName: 'parts', size } });
    const { uploadId } = ((await init.json()) as { data: { uploadId: string } }).data;
    const signed = await call('POST', `/api/v1/uploads/${uploadId}/parts`, key, { json: { partNumbers: [1, 2, 3] } });
    const { parts } = ((await signed.json()) as { data: { parts: { url: string; headers: Record<string, string> }[] } })
      .data;
    for (const [index, part] of parts.entries()) {
      const body = new Uint8Array(index < 2 ? 16 * 1024 * 1024 : 1024 * 1024);
      const sent = await fetch(part.url, { method: 'PUT', headers: part.headers, body });
      expect(sent.status).toBe(200);
      expect(sent.headers.has('x-ratelimit-limit')).toBe(false);
    }
    expect((await call('POST', `/api/v1/uploads/${uploadId}/complete`, key)).status).toBe(200);
    // The two creations, and the second question.
    expect(before - (await used())).toBe(3);
  });
});

describe('addresses', () => {
  it('strangers have 100 attempts in 15 minutes; who has a key goes on at the same address', async () => {
    clock.advance(2 * HOUR);
    const attempt = () => call('GET', '/api/v1/projects', 'sk_aaaaaaaaaaaaaaaa_wrong');
    for (let each = 0; each < 100; each++) expect((await attempt()).status).toBe(401);
    const refused = await attempt();
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ details: { tier: 'unauthenticated', limit: 100 } });
    expect((await call('GET', '/api/v1/projects', null)).status).toBe(429);
    expect((await call('GET', '/api/v1/projects', plain)).status).toBe(200);
    expect((await call('GET', '/health', null)).status).toBe(200);
  });

  it('X-Forwarded-For of a peer that is not trusted changes nothing', async () => {
    clock.advance(2 * HOUR);
    const asks = (address: string) => call('GET', '/', null, { headers: { 'x-forwarded-for': address } });
    for (let each = 0; each < 100; each++) expect(limitsOf(await asks(`203.0.113.${each}`)).remaining).toBe(99 - each);
    expect((await asks('203.0.113.200')).status).toBe(429);
    expect((await call('GET', '/', null, { headers: { 'x-forwarded-for': '127.0.0.2, 10.0.0.1' } })).status).toBe(429);
  });

  it('behind a trusted proxy each client counts by itself, IPv6 by its network of 64 bits', async () => {
    clock.advance(2 * HOUR);
    const behind = await ServingWorld.open({ clock, env: { CARCOSA_TRUSTED_PROXIES: 'loopback' } });
    const asks = (address: string) =>
      fetch(`${behind.node.url}/`, { headers: { 'x-forwarded-for': address } }).then(limitsOf);
    expect([(await asks('203.0.113.1')).remaining, (await asks('203.0.113.2')).remaining]).toEqual([99, 99]);
    expect((await asks('203.0.113.1')).remaining).toBe(98);
    // What a client says of itself stands before what the proxy adds.
    expect((await asks('198.51.100.9, 203.0.113.1')).remaining).toBe(97);
    expect((await asks('2001:db8::1')).remaining).toBe(99);
    expect((await asks('2001:db8::ffff:2')).remaining).toBe(98);

    const refuse = () =>
      fetch(`${behind.node.url}/api/v1/projects`, { headers: { 'x-forwarded-for': '203.0.113.66' } });
    for (let each = 0; each < REFUSALS_TO_BLOCK; each++) await refuse();
    const blocked = await refuse();
    expect(blocked.status).toBe(429);
    expect(await blocked.json()).toMatchObject({ error: 'rate_limited', details: { reason: 'blocked' } });
    expect(blocked.headers.get('retry-after')).toBe('60');
    clock.advance(60_000);
    expect((await (await refuse()).json()) as object).not.toMatchObject({ details: { reason: 'blocked' } });
    await behind.close();
  });
});

describe('administrators', () => {
  it('are those of the server: the right of a project is not enough', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['POST', '/reset'],
      ['PUT', '/projects/prj_00000000000000000000000000'],
      ['GET', '/callers/127.0.0.1'],
      ['DELETE', '/callers/127.0.0.1'],
      ['GET', '/blocks'],
    ] as const) {
      const json = ['PATCH', 'PUT'].includes(method) ? { json: {} } : {};
      expect((await call(method, `/api/v1/rate-limits${path}`, plain, json)).status, method + path).toBe(403);
      expect((await call(method, `/api/v1/rate-limits${path}`, null, json)).status).toBe(401);
    }
  });

  it('read and change the limits on all nodes, and bring the defaults back', async () => {
    clock.advance(2 * HOUR);
    const other = await world.addNode();
    const seen = async (at: string) =>
      limitsOf(await fetch(`${at}/api/v1/projects`, { headers: { 'x-api-key': plain } })).limit;
    expect((await change({ read: 7, write: null })).status).toBe(200);
    expect(await seen(url)).toBe(7);
    await until(async () => (await seen(other.url)) === 7, { what: 'the change on the other node' });
    expect((await call('POST', '/api/v1/files?path=x', plain)).headers.has('x-ratelimit-limit')).toBe(false);
    const read = (await (await call('GET', '/api/v1/rate-limits', raised)).json()) as { data: { tiers: object[] } };
    expect(read.data.tiers).toContainEqual({ tier: 'read', limit: 7, defaultLimit: 10_000, windowSeconds: 3600 });
    expect(read.data.tiers).toContainEqual({ tier: 'write', limit: null, defaultLimit: 500, windowSeconds: 3600 });
    const started = await world.addNode();
    expect(await seen(started.url), 'a node that starts later').toBe(7);
    expect((await call('POST', '/api/v1/rate-limits/reset', raised)).status).toBe(200);
    expect(await seen(url)).toBe(10_000);
    await until(async () => (await seen(other.url)) === 10_000, { what: 'the defaults on the other node' });
    for (const json of [{ read: -1 }, { read: 1.5 }, { reads: 1 }, { read: '7' }])
      expect((await call('PATCH', '/api/v1/rate-limits', raised, { json })).status, JSON.stringify(json)).toBe(400);
  });

  it('give a project limits of its own, also for what is downloaded from it', async () => {
    clock.advance(2 * HOUR);
    const { projectId } = world.node;
    const set = (id: string, json: RateLimitOverrides) =>
      call('PUT', `/api/v1/rate-limits/projects/${id}`, raised, { json });
    const file = await world.node.put('limited.txt', 'hello');
    const download = () => call('GET', `/f/${file.key}`, null);
    expect((await download()).headers.has('x-ratelimit-limit'), 'not in the default project').toBe(false);

    expect((await set(projectId, { 'public-download': 2, read: 3 })).status).toBe(200);
    expect([limitsOf(await download()), limitsOf(await download())]).toEqual([
      { limit: 2, remaining: 1 },
      { limit: 2, remaining: 0 },
    ]);
    const refused = await download();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, expect.any(String)]);
    expect(limitsOf(await call('GET', '/api/v1/projects', plain)).limit).toBe(3);
    const project = (await (await call('GET', `/api/v1/projects/${projectId}`, raised)).json()) as object;
    expect(project).toMatchObject({ data: { settings: { rateLimits: { 'public-download': 2, read: 3 } } } });
    const raise = { json: { settings: { rateLimits: {} } } };
    expect((await call('PATCH', `/api/v1/projects/${projectId}`, raised, raise)).status, 'not by itself').toBe(400);

    expect((await set(projectId, {})).status).toBe(200);
    expect(limitsOf(await download()).limit).toBe(LIMIT_TIERS['public-download'].limit);
    expect((await set(projectId, { 'public-download': null })).status).toBe(200);
    expect((await download()).status).toBe(200);
    expect((await set('prj_00000000000000000000000000', {})).status).toBe(404);
  });

  it('see what a caller has used, and make it forgotten on all nodes', async () => {
    clock.advance(2 * HOUR);
    const key = await newKey();
    const { carcosa } = world.node;
    const actor = await carcosa.apiKeys.authenticate(key);
    for (let each = 0; each < 20; each++) await call('POST', '/api/v1/uploads/collect', key);
    expect((await call('POST', '/api/v1/uploads/collect', key)).status).toBe(429);
    const read = async () => {
      const answer = await call('GET', `/api/v1/rate-limits/callers/${actor.id}`, raised);
      return ((await answer.json()) as { data: { tiers: { tier: string }[] } }).data.tiers.find(
        ({ tier }) => tier === 'admin',
      );
    };
    expect(await read()).toMatchObject({ limit: 20, used: 20, remaining: 0, resetAt: expect.any(Number) });
    expect((await call('DELETE', `/api/v1/rate-limits/callers/${actor.id}`, raised)).status).toBe(204);
    expect(await read()).toMatchObject({ used: 0, remaining: 20, resetAt: null });
    expect((await call('POST', '/api/v1/uploads/collect', key)).status).toBe(200);
  });
});

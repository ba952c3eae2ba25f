import type { Database, Queryable } from '@carcosa/database';
import { transaction } from '@carcosa/database';
import { ApiKeyService, IdempotencyService, ProvisioningService } from '@carcosa/domain';
import { CarcosaError, IdGenerator, ManualClock, silentLogger, systemRandom } from '@carcosa/kernel';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createTestDatabase } from '../../../../tests/support/database.ts';
import { createApp } from './app.ts';
import type { App } from './types.ts';

let database: Database;
let app: App;
let key: string;
let readOnlyKey: string;
let projectId: string;
let made = 0;
let behave: () => unknown = () => ({ made });

const clock = new ManualClock(Date.UTC(2026, 5, 1));
const ids = new IdGenerator();

beforeAll(async () => {
  database = await createTestDatabase({ kind: 'embedded' });
  const db: Queryable = database.pool;
  const apiKeys = new ApiKeyService({ db, clock, random: systemRandom, ids });
  const work = <Result>(run: (tx: Queryable) => Promise<Result>) => transaction(database.pool, run);
  const provisioning = new ProvisioningService({ transaction: work, ids, clock, apiKeys });
  const defaults = await provisioning.ensureDefaults({ name: 'local', provider: 'local', config: {} }, null);
  projectId = defaults.projectId;
  key = defaults.apiKey ?? '';
  const readOnly = { projectId: defaults.projectId, label: 'reader', permissions: ['files:read'] as const };
  readOnlyKey = (await apiKeys.create(readOnly)).token;
  app = createApp({
    ...{ clock, ids, apiKeys, logger: silentLogger, requestLog: null, version: '0.0.0', publicUrl: 'http://x' },
    idempotency: new IdempotencyService({ db }),
    config: { trustedProxies: [] },
  });
  addTestRoutes(app);
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await database.close();
});
beforeEach(() => {
  made = 0;
  behave = () => ({ made });
});

function addTestRoutes(to: App): void {
  to.get('/things', { config: { permission: 'files:read' } }, async () => ({ ok: true }));
  to.get('/open', { config: { public: true } }, async () => ({ ok: true }));
  to.get('/broken', { config: { public: true } }, async () => {
    throw new Error('select secret from passwords');
  });
  to.get('/busy', { config: { public: true } }, async () => {
    throw new CarcosaError('storage_unavailable', { retryAfter: 7.2 });
  });
  to.post('/echo', { config: { public: true } }, async (request) => ({ body: request.body ?? null }));
  const body = z.strictObject({ name: z.string(), projectId: z.string().optional() });
  to.post(
    '/things',
    { config: { permission: 'files:write', idempotent: true }, schema: { body } },
    async (_, reply) => {
      made++;
      reply.code(201).header('Location', `/things/${made}`);
      return await behave();
    },
  );
}

const as = (token: string) => ({ authorization: `Bearer ${token}` });
const call = (options: InjectOptions) => app.inject(options);
const echo = (payload: string, headers: Record<string, string> = {}) =>
  call({ method: 'POST', url: '/echo', payload, headers: { 'content-type': 'application/json', ...headers } });

describe('who is let in', () => {
  it.each([
    ['authorization', () => as(key)],
    ['authorization in other case', () => ({ authorization: `bEARER ${key}` })],
    ['x-api-key', () => ({ 'x-api-key': key })],
  ])('a key in %s', async (_, headers) => {
    expect((await call({ url: '/things', headers: headers() })).statusCode).toBe(200);
  });

  it.each([
    ['nothing', () => ({})],
    ['another scheme', () => ({ authorization: `Basic ${key}` })],
    ['no key at all', () => as('sk_')],
    ['a wrong secret', () => as(`${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`)],
    ['an unknown key', () => as(`sk_${'a'.repeat(16)}_${'b'.repeat(43)}`)],
  ])('not with %s', async (_, headers) => {
    const answer = await call({ url: '/things', headers: headers() });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.json()).toMatchObject({ error: 'unauthenticated', status: 401 });
  });

  it('a key without the permission is told which one it is', async () => {
    const answer = await call({ method: 'POST', url: '/things', headers: as(readOnlyKey), payload: { name: 'a' } });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ error: 'forbidden', details: { permission: 'files:write' } });
  });

  it('a route that says neither a permission nor public does not boot', () => {
    const fresh = createApp({
      ...{ clock, ids, logger: silentLogger, requestLog: null, version: '0.0.0', publicUrl: 'http://x' },
      apiKeys: new ApiKeyService({ db: database.pool, clock, random: systemRandom, ids }),
      idempotency: new IdempotencyService({ db: database.pool }),
      config: { trustedProxies: [] },
    });
    expect(() => fresh.get('/forgotten', async () => 'x')).toThrow(/declares neither a permission/);
  });
});

describe('what an error looks like', () => {
  it('says nothing of what happened inside', async () => {
    const answer = await call({ url: '/broken' });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toMatch(/select|passwords|at /);
    expect(answer.json()).toEqual({
      error: 'internal_error',
      message: expect.any(String),
      status: 500,
      timestamp: '2026-06-01T00:00:00.000Z',
      requestId: answer.headers['x-request-id'],
    });
  });

  it('says in whole seconds when to come again', async () => {
    const answer = await call({ url: '/busy' });
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '8']);
  });

  it('404 for an address that is not there, 405 with Allow for a method that is not', async () => {
    expect((await call({ url: '/nothing' })).json()).toMatchObject({ error: 'not_found' });
    const wrong = await call({ method: 'DELETE', url: '/things' });
    expect(wrong.json()).toMatchObject({ error: 'method_not_allowed' });
    expect(wrong.headers.allow).toBe('GET, HEAD, POST');
  });

  it('names each field that is wrong', async () => {
    const answer = await call({ method: 'POST', url: '/things', headers: as(key), payload: { nam: 1 } });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().details.fields.map(({ field }: { field: string }) => field)).toEqual(['name', '']);
  });
});

describe('JSON bodies', () => {
  it('are read, absent ones too', async () => {
    expect((await echo('{"a":[1,"é"]}')).json()).toEqual({ body: { a: [1, 'é'] } });
    expect((await echo('')).json()).toEqual({ body: null });
  });

  it.each([
    ['not JSON', '{"a":', 400, 'invalid_request'],
    ['__proto__', '{"__proto__":{"admin":true}}', 400, 'invalid_request'],
    ['constructor.prototype', '{"a":{"constructor":{"prototype":{}}}}', 400, 'invalid_request'],
    ['65 levels deep', `${'['.repeat(65)}${']'.repeat(65)}`, 400, 'invalid_request'],
    ['half a character', '{"a":"\\ud83d"}', 400, 'invalid_request'],
    ['more than 1 MiB', `"${'x'.repeat(1024 * 1024)}"`, 413, 'payload_too_large'],
  ])('%s is refused', async (_, payload, status, error) => {
    const answer = await echo(payload);
    expect([answer.statusCode, answer.json().error]).toEqual([status, error]);
  });

  it('brackets in text do not count, and whole characters pass however they are written', async () => {
    expect((await echo(JSON.stringify({ a: '['.repeat(500) }))).statusCode).toBe(200);
    expect((await echo('{"a":"\\ud83d\\ude00","b":"\\\\ud83d"}')).json()).toEqual({ body: { a: '😀', b: '\\ud83d' } });
  });

  it('are the only ones', async () => {
    const answer = await echo('a=1', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([answer.statusCode, answer.json().error]).toEqual([415, 'unsupported_media_type']);
  });
});

describe('headers of every answer', () => {
  it('take over a request id that is fit for a log, and no other', async () => {
    expect((await call({ url: '/open', headers: { 'x-request-id': 'trace-12.34' } })).headers['x-request-id']).toBe(
      'trace-12.34',
    );
    for (const odd of ['short', 'two words here', 'x'.repeat(200)]) {
      const answer = await call({ url: '/open', headers: { 'x-request-id': odd } });
      expect(answer.headers['x-request-id']).toMatch(/^req_/);
    }
  });

  it('let any origin read, without credentials', async () => {
    const answer = await call({ url: '/open', headers: { origin: 'https://example.com' } });
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(answer.headers['access-control-expose-headers']).toMatch(/Upload-Offset.*Upload-Expires/);
    expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it('answer a preflight also where the route wants a key', async () => {
    const headers = {
      origin: 'https://example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,x-custom',
    };
    const answer = await call({ method: 'OPTIONS', url: '/things', headers });
    expect(answer.statusCode).toBe(204);
    expect(answer.headers['access-control-allow-methods']).toMatch(/PATCH.*DELETE/);
    expect(answer.headers['access-control-allow-headers']).toBe('authorization,x-custom');
  });
});

describe('Idempotency-Key', () => {
  const create = (idempotencyKey: string, payload: object = { name: 'a' }, token = key) =>
    call({ method: 'POST', url: '/things', headers: { ...as(token), 'idempotency-key': idempotencyKey }, payload });

  it('replays status, headers and body', async () => {
    const first = await create('one');
    const again = await create('one');
    expect([first.statusCode, again.statusCode, made]).toEqual([201, 201, 1]);
    expect(again.body).toBe(first.body);
    expect(again.headers.location).toBe('/things/1');
    expect([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([undefined, 'true']);
  });

  it('refuses another body under the same key', async () => {
    await create('two');
    const other = await create('two', { name: 'b' });
    expect([other.statusCode, other.json().error, made]).toEqual([422, 'idempotency_key_reused', 1]);
  });

  it('lets one of many at once do it', async () => {
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    behave = () => gate.then(() => ({ made }));
    const first = create('three');
    await expect.poll(() => made).toBe(1);
    const second = await create('three');
    expect([second.statusCode, second.json().error]).toEqual([409, 'idempotency_in_progress']);
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(0);
    release();
    expect((await first).statusCode).toBe(201);
    expect(made).toBe(1);
  });

  it('keeps no failure of ours, and none that passes', async () => {
    for (const code of ['internal_error', 'upload_locked', 'conflict'] as const) {
      made = 0;
      behave = () => {
        throw new CarcosaError(code);
      };
      await create(`fails-${code}`);
      behave = () => ({ made });
      expect([(await create(`fails-${code}`)).statusCode, made]).toEqual([201, 2]);
    }
  });

  it('keeps a refusal that no retry changes', async () => {
    behave = () => {
      throw new CarcosaError('not_found');
    };
    await create('refused');
    behave = () => ({ made });
    const again = await create('refused');
    expect([again.statusCode, again.headers['idempotency-replayed'], made]).toEqual([404, 'true', 1]);
  });

  it('does not count a request that was not understood', async () => {
    expect((await create('four', { name: 1 })).statusCode).toBe(400);
    expect((await create('four')).statusCode).toBe(201);
  });

  it('goes on where a request died, once its claim has lapsed, but not for another request', async () => {
    await create('five');
    await database.pool.query(
      `update idempotency_keys set done = false, locked_until = now() - interval '1 second' where key = 'five'`,
    );
    expect((await create('five', { name: 'b' })).statusCode).toBe(422);
    expect([(await create('five')).statusCode, made]).toEqual([201, 2]);
  });

  it('forgets after 24 hours', async () => {
    await create('six');
    const { rows } = await database.pool.query(
      `select extract(epoch from expires_at - now()) / 3600 as hours from idempotency_keys where key = 'six'`,
    );
    expect(Number(rows[0].hours)).toBeCloseTo(24, 1);
    await database.pool.query(`update idempotency_keys set expires_at = now() - interval '1 second' where key = 'six'`);
    expect([(await create('six', { name: 'b' })).statusCode, made]).toEqual([201, 2]);
  });

  it.each(['', 'with space', 'ü', 'x'.repeat(256)])('wants a proper key, not "%s"', async (odd) => {
    const answer = await create(odd);
    expect([answer.statusCode, made]).toEqual([400, 0]);
  });

  it('of a foreign project is a project that is not there', async () => {
    const last = projectId.endsWith('0') ? '1' : '0';
    const foreign = await create('seven', { name: 'a', projectId: `${projectId.slice(0, -1)}${last}` });
    expect([foreign.statusCode, made]).toEqual([404, 0]);
  });
});

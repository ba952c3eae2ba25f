import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { register } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';
import { type Estate, liftLimits, makeEstate } from './estate.ts';

interface FileData {
  id: string;
  path: string;
  tenantId: string | null;
  url: string;
}

let server: Server;
let estate: Estate;
let other: { id: string; token: string };

beforeAll(async () => {
  server = await startServer();
  await liftLimits(await register(server));
  estate = await makeEstate(server, 'Shop');
  const made = await server.api<{ id: string }>('POST', '/tenants', { key: estate.key, json: { name: 'Other' } });
  const { id } = expectData(made, 201);
  other = { id, token: await mint(id) };
}, 60_000);
afterAll(() => server.stop());

async function mint(tenantId: string, json: object = {}): Promise<string> {
  const permissions = ['files:read', 'files:write', 'files:delete'];
  const answer = await server.api<{ token: string }>('POST', `/tenants/${tenantId}/tokens`, {
    key: estate.key,
    json: { permissions, ...json },
  });
  return expectData(answer, 201).token;
}

const tusHeaders = (token: string, metadata: Record<string, string>) => ({
  authorization: `Bearer ${token}`,
  'tus-resumable': '1.0.0',
  'upload-metadata': Object.entries(metadata)
    .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
    .join(','),
});

/** Sends four bytes through a door with a tenant token; answers the id of the file. */
const DOORS: Record<string, (token: string, path: string) => Promise<string>> = {
  simple: async (key, path) =>
    expectData(await server.api<FileData>('POST', '/files', { key, query: { path }, body: 'four' }), 201).id,
  tus: async (key, path) => {
    const answer = await server.request('/api/v1/tus', {
      method: 'POST',
      headers: {
        ...tusHeaders(key, { path }),
        'upload-length': '4',
        'content-type': 'application/offset+octet-stream',
      },
      body: 'four',
    });
    expect(answer.status).toBe(201);
    return answer.headers.get('carcosa-file-id') ?? '';
  },
  direct: async (key, path) => {
    const init = await server.api<{ uploadId: string; url: string; headers: Record<string, string> }>(
      'POST',
      '/uploads/init',
      {
        key,
        json: { fileName: 'x', path, size: 4 },
      },
    );
    const { uploadId, url, headers } = expectData(init, 201);
    expect((await fetch(url, { method: 'PUT', headers, body: 'four' })).status).toBe(200);
    return expectData(await server.api<FileData>('POST', `/uploads/${uploadId}/complete`, { key, json: {} })).id;
  },
};

describe.each(Object.keys(DOORS))('a tenant token at the %s door', (door) => {
  it('puts files of its own tenant, which no other token sees', async () => {
    const path = `same/${door}.txt`;
    const mine = await DOORS[door]?.(estate.tenantToken, path);
    const theirs = await DOORS[door]?.(other.token, path);
    expect(mine).not.toBe(theirs);
    const read = (id: string | undefined, key: string) => server.api<FileData>('GET', `/files/${id}`, { key });
    expect((await read(mine, estate.tenantToken)).data).toMatchObject({ path, tenantId: estate.ids.tenant });
    expect((await read(mine, other.token)).status).toBe(404);
    expect((await read(theirs, estate.tenantToken)).status).toBe(404);
    expect((await read(mine, estate.key)).status).toBe(200);
  });

  it('puts nothing outside of the folder that it is confined to', async () => {
    const token = await mint(estate.ids.tenant, { pathPrefix: 'in/here' });
    const inside = await DOORS[door]?.(token, `in/here/${door}.txt`);
    expect((await server.api('GET', `/files/${inside}`, { key: token })).status).toBe(200);
    for (const path of [`in/${door}.txt`, `in/hereafter/${door}.txt`, `in/here`])
      await expect(DOORS[door]?.(token, path)).rejects.toThrow();
  });
});

describe('a tenant', () => {
  it('is listed and counted apart', async () => {
    await DOORS.simple?.(estate.tenantToken, 'list/one.txt');
    await DOORS.simple?.(other.token, 'list/two.txt');
    const list = async (key: string, query: Record<string, string> = {}) =>
      (await server.api<{ items: FileData[] }>('GET', '/files', { key, query: { limit: '1000', ...query } })).data
        .items;
    const mine = await list(estate.tenantToken);
    expect(mine.length).toBeGreaterThan(0);
    expect(new Set(mine.map(({ tenantId }) => tenantId))).toEqual(new Set([estate.ids.tenant]));
    expect((await list(estate.key, { tenantId: other.id })).map(({ path }) => path)).toContain('list/two.txt');
    expect((await list(estate.key)).map(({ tenantId }) => tenantId)).toContain(null);
    const foreign = await server.api('GET', '/files', { key: estate.tenantToken, query: { tenantId: other.id } });
    expect(foreign.status).toBe(404);
    const folders = await server.api<{ items: { path: string; files: number }[] }>('GET', '/files/folders', {
      key: other.token,
    });
    expect(folders.data.items.find(({ path }) => path === 'list')).toMatchObject({ files: 1 });
  });

  it('keeps its files from the bulk of another', async () => {
    const id = await DOORS.simple?.(estate.tenantToken, 'bulk/mine.txt');
    for (const action of ['delete', 'purge', 'restore', 'copy', 'move', 'update']) {
      const item = {
        id,
        ...(['copy', 'move'].includes(action) ? { path: 'taken.txt' } : {}),
        ...(action === 'update' ? { tags: ['x'] } : {}),
      };
      const answer = await server.api<{ results: { ok: boolean; error: { error: string } }[] }>('POST', '/files/bulk', {
        key: other.token,
        json: { action, items: [item] },
      });
      expect([action, answer.data.results[0]]).toMatchObject([action, { ok: false, error: { error: 'not_found' } }]);
    }
    expect((await server.api('GET', `/files/${id}`, { key: estate.tenantToken })).status).toBe(200);
  });

  it('writes nothing while it is suspended, and reads on', async () => {
    const id = await DOORS.simple?.(other.token, 'suspended.txt');
    const set = (suspended: boolean) =>
      server.api('PATCH', `/tenants/${other.id}`, { key: estate.key, json: { suspended } });
    expectData(await set(true));
    const refused = await server.api('POST', '/files', { key: other.token, body: 'four' });
    expect([refused.status, refused.body]).toMatchObject([403, { error: 'tenant_suspended' }]);
    expect((await server.api('GET', `/files/${id}`, { key: other.token })).status).toBe(200);
    expectData(await set(false));
    expect((await server.api('POST', '/files', { key: other.token, body: 'four' })).status).toBe(201);
  });

  it('goes with its tokens at once, and with its files soon', async () => {
    const made = await server.api<{ id: string }>('POST', '/tenants', { key: estate.key, json: { name: 'Leaver' } });
    const token = await mint(made.data.id);
    const id = await DOORS.simple?.(token, 'left.txt');
    expect((await server.api('DELETE', `/tenants/${made.data.id}`, { key: estate.key })).status).toBe(204);
    expect((await server.api('GET', `/files/${id}`, { key: token })).status).toBe(401);
    await expect
      .poll(async () => (await server.api('GET', `/files/${id}`, { key: estate.key })).status, { timeout: 30_000 })
      .toBe(404);
  });
});

describe('tokens', () => {
  it('say of themselves what they may', async () => {
    const validate = async (token: string) =>
      (await server.api<Record<string, unknown>>('POST', '/tokens/validate', { key: null, json: { token } })).data;
    expect(await validate(estate.tenantToken)).toMatchObject({
      ...{ valid: true, type: 'tenant-token', tenantId: estate.ids.tenant, projectId: estate.ids.project },
    });
    expect(await validate(estate.key)).toMatchObject({ valid: true, type: 'api-key', permissions: ['admin'] });
    expect(await validate(estate.owner.accessToken)).toMatchObject({ valid: true, type: 'access-token' });
    expect(await validate(`${estate.tenantToken}x`)).toEqual({ valid: false });
    const own = await server.api('POST', '/tokens/validate', { key: estate.key });
    expect(own.data).toMatchObject({ valid: true });
  });

  it('are not taken for one another, nor believed unsigned', async () => {
    const [head = '', body = '', signature = ''] = estate.tenantToken.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
    const forgeries = [
      `${encode({ alg: 'none', typ: 'tenant+jwt' })}.${body}.`,
      `${encode({ alg: 'none', typ: 'tenant+jwt' })}.${body}.${signature}`,
      `${head}.${encode({ ...claims, per: ['admin'] })}.${signature}`,
      `${head}.${encode({ ...claims, exp: 9_999_999_999 })}.${signature}`,
      `${encode({ alg: 'HS256', typ: 'JWT' })}.${body}.${signature}`,
      `${encode({ alg: 'HS256', typ: 'tenant+jwt', kid: '../../etc/passwd' })}.${body}.${signature}`,
      `${estate.owner.accessToken.split('.')[0]}.${body}.${signature}`,
    ];
    for (const token of forgeries) expect((await server.api('GET', '/files', { key: token })).status).toBe(401);
  });

  it('manage nothing', async () => {
    const calls: [string, string][] = [
      ['GET', `/projects/${estate.ids.project}`],
      ['GET', '/api-keys'],
      ['GET', '/tenants'],
      ['GET', '/organizations'],
      ['GET', '/audit-logs'],
    ];
    for (const [method, path] of calls)
      expect([path, (await server.api(method, path, { key: estate.tenantToken })).status]).toEqual([path, 403]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { register } from '../../support/people.ts';
import { textOf } from '../../support/realtime.ts';
import { type Server, startServer } from '../../support/server.ts';
import { type Estate, liftLimits, makeEstate } from './estate.ts';

/** The 17 of the contract. */
const PERMISSIONS = [
  ...['files:read', 'files:write', 'files:delete'],
  ...['transforms:read', 'transforms:write', 'transforms:delete', 'transforms:execute'],
  ...['projects:read', 'projects:write', 'projects:delete'],
  ...['api-keys:read', 'api-keys:write', 'api-keys:delete'],
  ...['tenants:manage', 'usage:read', 'audit-logs:read', 'admin'],
];

interface Route {
  name: string;
  method: string;
  path: string;
  permissions: string[];
}

let server: Server;
let estate: Estate;
let routes: Route[];
const keys = new Map<string, string>();

beforeAll(async () => {
  server = await startServer();
  await liftLimits(await register(server));
  estate = await makeEstate(server, 'Table');
  const document = (await (await server.request('/api/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, { 'x-carcosa-access': string[] | string }>>;
  };
  routes = Object.entries(document.paths).flatMap(([address, item]) =>
    Object.entries(item).flatMap(([verb, { 'x-carcosa-access': access }]) => {
      if (!Array.isArray(access) || access.includes('admin')) return [];
      const [method, path] = [verb.toUpperCase(), address.replace('/api/v1', '')];
      // A request of no use: whoever may make it is told what is wrong with it, whoever may not is told that.
      return [{ name: `${method} ${path}`, method, path: path.replace(/\{\w+\}/g, 'x'), permissions: access }];
    }),
  );
  for (const permission of PERMISSIONS) {
    keys.set(`only ${permission}`, await makeKey([permission]));
    keys.set(
      `all but ${permission}`,
      await makeKey(PERMISSIONS.filter((each) => each !== permission && each !== 'admin')),
    );
  }
}, 60_000);
afterAll(() => server.stop());

async function makeKey(permissions: string[]): Promise<string> {
  const json = { projectId: estate.ids.project, name: 'x', permissions };
  return expectData(await estate.owner.call<{ key: string }>('POST', '/api-keys', { json }), 201).key;
}

/** Whether the route refuses the key for what it may, rather than for what the request is. */
async function isForbidden({ method, path }: Route, key: string): Promise<boolean> {
  const tus: Record<string, string> = path.startsWith('/tus') ? { 'tus-resumable': '1.0.0' } : {};
  const response = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...tus },
    redirect: 'manual',
  });
  const text = await textOf(response);
  return response.status === 403 && (text === '' || text.includes('"permission"'));
}

describe('the 17 permissions', () => {
  it('are 17, and every one but those of transforms and usage opens something', () => {
    expect(PERMISSIONS).toHaveLength(17);
    const opened = new Set(routes.flatMap(({ permissions }) => permissions));
    const silent = PERMISSIONS.filter((each) => !opened.has(each) && each !== 'admin');
    for (const each of silent) expect(each).toMatch(/^(transforms:|usage:)/);
  });

  it.each(PERMISSIONS)('%s opens its routes and no others', async (permission) => {
    const key = keys.get(`only ${permission}`) ?? '';
    const seen = await Promise.all(
      routes.map(async (route) => [route.name, !(await isForbidden(route, key))] as const),
    );
    const expected = routes.map(
      ({ name, permissions }) => [name, permission === 'admin' || permissions.includes(permission)] as const,
    );
    expect(seen).toEqual(expected);
  });

  it.each(PERMISSIONS.filter((each) => each !== 'admin'))(
    'all others together do not replace %s',
    async (permission) => {
      const key = keys.get(`all but ${permission}`) ?? '';
      const closed = routes.filter(({ permissions }) => permissions.length === 1 && permissions[0] === permission);
      for (const route of closed) expect([route.name, await isForbidden(route, key)]).toEqual([route.name, true]);
    },
  );
});

describe('explain', () => {
  const explain = async (json: object, key = estate.key) =>
    expectData(
      await server.api<{ allowed: boolean; error: string | null; reasons: string[] }>('POST', '/access/explain', {
        key,
        json,
      }),
    );

  it('says why somebody may, with bucket and limit', async () => {
    expect(await explain({ permission: 'files:write' })).toMatchObject({
      ...{ allowed: true, error: null, grant: { projectId: estate.ids.project, tenantId: null, pathPrefix: '' } },
      ...{ bucket: { id: estate.ids.bucket, reason: 'the bucket of the project' } },
      limit: { tier: 'write', windowSeconds: 3600 },
    });
  });

  it('says why somebody may not: role, permission, tenant, revocation', async () => {
    const { project: projectId, tenant: tenantId } = estate.ids;
    const ask = (actor: object, rest: object) => explain({ projectId, actor, ...rest }, estate.owner.accessToken);
    const viewer = { type: 'user', id: estate.viewer.user.id };
    expect(await ask(viewer, { permission: 'files:write' })).toMatchObject({ allowed: false, error: 'forbidden' });
    const stranger = await register(server);
    const refused = await ask({ type: 'user', id: stranger.user.id }, { permission: 'files:read' });
    expect(refused).toMatchObject({ allowed: false, error: 'not_found' });
    const made = await estate.owner.call<{ id: string; key: string }>('POST', '/api-keys', {
      json: { projectId, name: 'x', permissions: ['files:read'], restrictions: { tenantId, pathPrefix: 'in' } },
    });
    const key = { type: 'api-key', id: made.data.id };
    expect(await ask(key, { permission: 'files:read', path: 'in/a', tenantId })).toMatchObject({ allowed: true });
    expect(await ask(key, { permission: 'files:read', path: 'out/a', tenantId })).toMatchObject({ error: 'not_found' });
    // What it says is what happens.
    expect((await server.api('GET', `/files/${estate.ids.file}`, { key: made.data.key })).status).toBe(404);
    await estate.owner.call('DELETE', `/api-keys/${made.data.id}`);
    expect(await ask(key, { permission: 'files:read' })).toMatchObject({ allowed: false, error: 'unauthenticated' });
  });

  it('answers about others only whoever may everything', async () => {
    const actor = { type: 'user', id: estate.owner.user.id };
    const json = { projectId: estate.ids.project, permission: 'files:read', actor };
    expect((await estate.viewer.call('POST', '/access/explain', { json })).status).toBe(403);
    expect((await server.api('POST', '/access/explain', { key: estate.tenantToken, json })).status).toBe(403);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { register } from '../../support/people.ts';
import { startPostgres } from '../../support/postgres.ts';
import { type Server, startServer } from '../../support/server.ts';
import { type Estate, liftLimits, makeEstate } from './estate.ts';

interface KeyData {
  id: string;
  key: string;
}

/** Milliseconds within which a change must be known everywhere. */
const EVERYWHERE_MS = 1000;

let server: Server;
let estate: Estate;
beforeAll(async () => {
  server = await startServer();
  await liftLimits(await register(server));
  estate = await makeEstate(server, 'Keys');
}, 60_000);
afterAll(() => server.stop());

async function makeKey(json: object): Promise<KeyData> {
  const { project: projectId } = estate.ids;
  const answer = await estate.owner.call<KeyData>('POST', '/api-keys', { json: { projectId, name: 'test', ...json } });
  return expectData(answer, 201);
}

describe('a key', () => {
  it('is confined to a folder at every turn', async () => {
    const { key } = await makeKey({
      permissions: ['files:read', 'files:write', 'files:delete'],
      restrictions: { pathPrefix: 'box' },
    });
    const outside = (
      await server.api<{ id: string }>('POST', '/files', { key: estate.key, query: { path: 'out.txt' }, body: 'x' })
    ).data.id;
    const inside = (
      await server.api<{ id: string; path: string }>('POST', '/files', {
        key,
        query: { fileName: 'in.txt' },
        body: 'x',
      })
    ).data;
    expect(inside.path).toMatch(/^box\//);
    const tries: [string, string, object | undefined][] = [
      ['GET', `/files/${outside}`, undefined],
      ['PATCH', `/files/${outside}`, { name: 'x' }],
      ['DELETE', `/files/${outside}`, undefined],
      ['POST', `/files/${outside}/copy`, { path: 'box/stolen.txt' }],
      ['POST', `/files/${outside}/signed-url`, {}],
      ['GET', `/files/${outside}/versions`, undefined],
    ];
    for (const [method, path, json] of tries)
      expect([method, path, (await server.api(method, path, { key, ...(json ? { json } : {}) })).status]).toEqual([
        method,
        path,
        404,
      ]);
    for (const [method, path] of [
      ['PATCH', `/files/${inside.id}`],
      ['POST', `/files/${inside.id}/copy`],
    ] as const)
      expect((await server.api(method, path, { key, json: { path: 'escaped.txt' } })).status).toBe(403);
    const form = new FormData();
    form.append('file', new Blob(['x']), 'a.txt');
    form.append('path', 'escaped.txt');
    expect((await server.api('POST', '/files', { key, body: form })).status).toBe(403);
    const listed = await server.api<{ items: { path: string }[] }>('GET', '/files', { key });
    expect(listed.data.items.map(({ path }) => path)).toEqual([inside.path]);
    expect((await server.api('GET', '/files/folders', { key, query: { folder: '' } })).status).toBe(200);
    for (const path of ['/projects/x/rotate-signing-key', '/api-keys'])
      expect((await server.api('POST', path, { key, json: {} })).status).toBe(403);
  });

  it('is confined to networks and origins', async () => {
    const far = await makeKey({ permissions: ['files:read'], restrictions: { ipRanges: ['203.0.113.0/24'] } });
    expect((await server.api('GET', '/files', { key: far.key })).status).toBe(403);
    const near = await makeKey({ permissions: ['files:read'], restrictions: { ipRanges: ['127.0.0.0/8', '::1'] } });
    expect((await server.api('GET', '/files', { key: near.key })).status).toBe(200);
    const page = await makeKey({ permissions: ['files:read'], restrictions: { origins: ['https://app.example.com'] } });
    const from = async (origin?: string) =>
      (await server.api('GET', '/files', { key: page.key, ...(origin ? { headers: { origin } } : {}) })).status;
    expect([
      await from('https://app.example.com'),
      await from('https://evil.example.com'),
      await from('null'),
      await from(),
    ]).toEqual([200, 403, 403, 403]);
  });

  it('takes no word that is not its own', async () => {
    const { project: projectId } = estate.ids;
    const base = { projectId, name: 'x', permissions: ['files:read'] };
    for (const extra of [
      { limitFactor: 1000 },
      { createdBy: 'usr_x' },
      { organizationId: 'org_x' },
      { id: 'key_x' },
      { revokedAt: null },
    ])
      expect((await estate.owner.call('POST', '/api-keys', { json: { ...base, ...extra } })).status).toBe(400);
    for (const json of [
      { name: 'x', role: 'owner' },
      { name: 'x', plan: 'gold' },
      { name: 'x', quotas: {} },
    ])
      expect((await estate.owner.call('POST', '/organizations', { json })).status).toBe(400);
  });

  it('is refused everywhere once it is revoked, and once its time is over', async () => {
    const { id, key } = await makeKey({ permissions: ['files:read'] });
    expect((await server.api('GET', '/files', { key })).status).toBe(200);
    const revoked = await estate.owner.call('DELETE', `/api-keys/${id}`);
    expect(revoked.data).toMatchObject({ revokedAt: expect.any(String) });
    expect((await server.api('GET', '/files', { key })).status).toBe(401);
  });
});

describe('two nodes on one database', () => {
  it('refuse a revoked key, a changed role and an ended session within a second', async () => {
    const database = await startPostgres();
    const env = {
      DATABASE_URL: database.url,
      CARCOSA_SECRET: 'one root secret for both of the nodes',
    };
    const [first, second] = [await startServer({ env }), await startServer({ env })];
    try {
      await liftLimits(await register(first));
      const place = await makeEstate(first, 'Both');
      const onSecond = (key: string, path = '/files') => second.api('GET', path, { key });
      expect((await onSecond(place.key)).status).toBe(200);
      expect((await onSecond(place.tenantToken)).status).toBe(200);
      const project = `/projects/${place.ids.project}`;
      expect((await onSecond(place.viewer.accessToken, project)).status).toBe(200);
      const refused = (key: string, status: number, path?: string) =>
        expect
          .poll(async () => (await onSecond(key, path)).status, { timeout: EVERYWHERE_MS, interval: 20 })
          .toBe(status);
      await place.owner.call('DELETE', `/api-keys/${place.ids['api-key']}`);
      await refused(place.key, 401);
      await refused(place.tenantToken, 401);
      await place.owner.call('DELETE', `/organizations/${place.ids.organization}/members/${place.viewer.user.id}`);
      await refused(place.viewer.accessToken, 404, project);
      await place.member.call('POST', '/auth/logout', { json: { refreshToken: place.member.refreshToken } });
      await refused(place.member.accessToken, 401, project);
    } finally {
      await Promise.all([first.stop(), second.stop()]);
      await database.remove();
    }
  }, 120_000);
});

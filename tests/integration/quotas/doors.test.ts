import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { QuotaWorld, type Scopes } from './support.ts';

const PARALLEL = 50;
const SIZE = 3000;
const ROOM = 10;
const CONTENT = Buffer.alloc(SIZE, 'x');

interface Outcome {
  status: number;
  body: string;
  fileId: string | null;
}

/** One upload of `SIZE` bytes from beginning to end. */
type Door = (url: string, scopes: Scopes, name: string) => Promise<Outcome>;

const outcome = async (answer: Response): Promise<Outcome> => {
  const body = await answer.text();
  const fileId = answer.headers.get('carcosa-file-id');
  return { status: answer.status, body, fileId };
};

const stream = () => Readable.toWeb(Readable.from([CONTENT.subarray(0, 1000), CONTENT.subarray(1000)]));

const TUS = { 'tus-resumable': '1.0.0' };
const OFFSET = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' };

/** Creates with those headers, then sends all in one PATCH. */
const tusInTwo =
  (create: Record<string, string>, patch: Record<string, string>): Door =>
  async (url, { key }) => {
    const auth = { 'x-api-key': key, ...TUS };
    const created = await fetch(`${url}/api/v1/tus`, { method: 'POST', headers: { ...auth, ...create } });
    const location = created.headers.get('location');
    if (!location) return outcome(created);
    const headers = { ...auth, ...OFFSET, ...patch };
    return outcome(await fetch(`${url}${location}`, { method: 'PATCH', headers, body: CONTENT }));
  };

const DOORS: Record<string, Door> = {
  'a body of known length': async (url, { key }, name) =>
    outcome(
      await fetch(`${url}/api/v1/files?path=${name}`, { method: 'POST', headers: { 'x-api-key': key }, body: CONTENT }),
    ),
  'a chunked body': async (url, { key }, name) =>
    outcome(
      await fetch(`${url}/api/v1/files?path=${name}`, {
        method: 'POST',
        headers: { 'x-api-key': key },
        body: stream() as unknown as BodyInit,
        duplex: 'half',
      } as RequestInit),
    ),
  'a form': async (url, { key }, name) => {
    const form = new FormData();
    form.set('path', name);
    form.set('file', new Blob([CONTENT]), name);
    return outcome(await fetch(`${url}/api/v1/files`, { method: 'POST', headers: { 'x-api-key': key }, body: form }));
  },
  'tus, created with its bytes': async (url, { key }) => {
    const headers = { 'x-api-key': key, ...TUS, ...OFFSET, 'upload-length': String(SIZE) };
    return outcome(await fetch(`${url}/api/v1/tus`, { method: 'POST', headers, body: CONTENT }));
  },
  'tus in two requests': tusInTwo({ 'upload-length': String(SIZE) }, {}),
  'tus with a deferred length': tusInTwo({ 'upload-defer-length': '1' }, { 'upload-length': String(SIZE) }),
  direct: async (url, { key }, name) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const body = JSON.stringify({ fileName: name, path: name, size: SIZE });
    const begun = await fetch(`${url}/api/v1/uploads/init`, { method: 'POST', headers, body });
    if (begun.status !== 201) return outcome(begun);
    const { data } = (await begun.json()) as {
      data: { uploadId: string; url: string; headers: Record<string, string> };
    };
    const sent = await fetch(data.url, { method: 'PUT', headers: data.headers, body: CONTENT });
    if (sent.status !== 200) return outcome(sent);
    const complete = { method: 'POST', headers: { 'x-api-key': key } };
    return outcome(await fetch(`${url}/api/v1/uploads/${data.uploadId}/complete`, complete));
  },
};

describe.each(databaseKinds())('50 uploads at once against a quota, on %s', (kind) => {
  let world: QuotaWorld;
  beforeAll(async () => {
    world = await QuotaWorld.open(kind);
    await world.addNode();
  });
  afterAll(() => world.close());

  it.each(Object.keys(DOORS))('by %s: as many succeed as there is room for, on two nodes', async (name) => {
    const scopes = await world.scopes();
    const { projectId } = scopes;
    const limit = ROOM * SIZE + SIZE / 2;
    await world.setProject(projectId, { bytes: limit });
    // The other node reads the project for the first time below.
    const outcomes = await Promise.all(
      Array.from({ length: PARALLEL }, (_, each) =>
        (DOORS[name] as Door)(world.nodes[each % 2]?.url as string, scopes, `file-${each}`),
      ),
    );
    const refused = outcomes.filter(({ status }) => status === 403);
    expect(outcomes.filter(({ status }) => status < 300)).toHaveLength(ROOM);
    expect(refused, JSON.stringify(outcomes.slice(0, 3))).toHaveLength(PARALLEL - ROOM);
    for (const { body } of refused) {
      expect(JSON.parse(body)).toMatchObject({
        error: 'quota_exceeded',
        details: { metric: 'bytes', limit, scope: projectId },
      });
    }
    // Uploads whose deferred length was refused are still open, and have reserved no bytes.
    expect(await world.usage(projectId)).toEqual({ used: ROOM * SIZE, reserved: 0 });
    const { rows } = await world.database.pool.query('select count(*)::int as n from files where project_id = $1', [
      projectId,
    ]);
    expect(rows).toEqual([{ n: ROOM }]);
  });

  it('by all doors together, against the quotas of organization, project and tenant', async () => {
    const scopes = await world.scopes();
    const { organizationId, projectId, tenantId } = scopes;
    const { quotaSettings } = world.carcosa;
    const system = { type: 'system' } as const;
    await quotaSettings.setOrganization(system, organizationId, { quotas: { uploadBytes: 8 * SIZE } });
    await quotaSettings.setProject(system, projectId, { files: 9 });
    await quotaSettings.setTenant(system, tenantId, { bytes: 5 * SIZE });
    // One without a length stays open when that is refused, and is a file to be.
    const { 'tus with a deferred length': _, ...others } = DOORS;
    const doors = Object.values(others);
    const outcomes = await Promise.all(
      Array.from({ length: PARALLEL }, (_, each) =>
        (doors[each % doors.length] as Door)(world.node.url, scopes, `together-${each}`),
      ),
    );
    expect(outcomes.filter(({ status }) => status < 300)).toHaveLength(8);
    const body = `${world.node.url}/api/v1/files?tenantId=${tenantId}&path=of-the-tenant`;
    const refused = await fetch(body, { method: 'POST', headers: { 'x-api-key': scopes.key }, body: CONTENT });
    expect(await refused.json()).toMatchObject({ details: { scope: organizationId, metric: 'uploadBytes' } });
    await quotaSettings.setOrganization(system, organizationId, { quotas: {} });
    const statuses: number[] = [];
    for (let each = 0; each < 3; each++) {
      const at = `${world.node.url}/api/v1/files?tenantId=${tenantId}&path=tenant-${each}`;
      statuses.push((await fetch(at, { method: 'POST', headers: { 'x-api-key': scopes.key }, body: CONTENT })).status);
    }
    // One file more fits the project.
    expect(statuses).toEqual([201, 403, 403]);
    expect(await world.usage(projectId, 'files')).toEqual({ used: 9, reserved: 0 });
    const tenant = await quotaSettings.tenant(system, tenantId);
    expect(tenant.usage).toContainEqual({ metric: 'bytes', limit: 5 * SIZE, used: SIZE, reserved: 0, period: null });
  });

  it('by tus in parts that are joined: what they reserved is what their whole needs', async () => {
    const { projectId, key } = await world.scopes();
    await world.setProject(projectId, { bytes: 2 * SIZE + 100, files: 1 });
    const { url } = world.node;
    const create = (headers: Record<string, string>, body: typeof CONTENT | null = null) =>
      fetch(`${url}/api/v1/tus`, { method: 'POST', headers: { 'x-api-key': key, ...TUS, ...headers }, body });
    const part = { ...OFFSET, 'upload-length': String(SIZE), 'upload-concat': 'partial' };
    const parts = [await create(part, CONTENT), await create(part, CONTENT)].map((made) =>
      made.headers.get('location'),
    );
    expect(await world.usage(projectId)).toEqual({ used: 0, reserved: 2 * SIZE });
    expect((await create(part, CONTENT)).status, 'a third one').toBe(403);
    const whole = await create({ 'upload-concat': `final;${parts.join(' ')}` });
    expect(whole.status).toBe(201);
    expect(await world.usage(projectId)).toEqual({ used: 2 * SIZE, reserved: 0 });
    expect(await world.usage(projectId, 'files')).toEqual({ used: 1, reserved: 0 });
    // Joined once more, they would be as much again.
    expect((await create({ 'upload-concat': `final;${parts.join(' ')}` })).status).toBe(403);
    expect(await world.usage(projectId)).toEqual({ used: 2 * SIZE, reserved: 0 });
  });
});

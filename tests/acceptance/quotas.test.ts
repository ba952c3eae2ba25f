import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../support/api.ts';
import { until } from '../support/clock.ts';
import { type Person, register } from '../support/people.ts';
import { type Server, startServer } from '../support/server.ts';

interface Report {
  quotas: Record<string, number | null>;
  plan?: string | null;
  usage: {
    metric: string;
    limit: number | null;
    used: number | null;
    reserved: number | null;
    period: string | null;
  }[];
}

/** A picture of one pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

let server: Server;
let owner: Person;
let organizationId: string;

beforeAll(async () => {
  server = await startServer();
  // The first one administers the server and owns the default organization.
  owner = await register(server);
  const project = await server.api<{ organizationId: string }>('GET', `/projects/${server.projectId}`);
  organizationId = project.data.organizationId;
});
afterAll(() => server.stop());

const put = (path: string, json: unknown, key?: string) =>
  server.api<Report>('PUT', path, { json, ...(key === undefined ? {} : { key }) });
const upload = (path: string, size: number) =>
  server.api<{ id: string }>('POST', '/files', { query: { path }, body: new Uint8Array(size) });
const usageOf = (report: Report, metric: string) => report.usage.find((each) => each.metric === metric);

describe('quotas and plans', () => {
  it('count pictures that are made, not those that were made before, and refuse more', async () => {
    const png = Buffer.from(PIXEL, 'base64');
    const { id } = expectData(
      await server.api<{ id: string }>('POST', '/files', { query: { path: 'pixel.png' }, body: png }),
      201,
    );
    const address = `/projects/${server.projectId}/quotas`;
    expectData(await put(address, { quotas: { transforms: 5 } }));
    const make = async (steps: string) => (await server.request(`/t/${server.projectId}/${steps}/pixel.png`)).status;
    // Twenty at once of ten different ones: five are made, and asked for again for nothing.
    const widths = Array.from({ length: 20 }, (_, n) => `w_${1 + (n % 10)},enlarge,f_webp`);
    const outcomes = await Promise.all(widths.map(make));
    expect(new Set(outcomes)).toEqual(new Set([200, 403]));
    const made = widths.filter((_, n) => outcomes[n] === 200);
    expect(new Set(made).size).toBe(5);
    expect(await Promise.all(made.map(make))).toEqual(made.map(() => 200));
    const report = expectData(await server.api<Report>('GET', address));
    expect(usageOf(report, 'transforms')).toMatchObject({ limit: 5, used: 5 });
    expectData(await put(address, { quotas: {} }));
    expect(await make('w_9,enlarge,f_webp')).toBe(200);
    expectData(await server.api('DELETE', `/files/${id}`, { query: { permanent: true } }));
  });

  it('count what is stored when they are set, refuse what would pass them, and are lifted', async () => {
    const { id } = expectData(await upload('before', 400), 201);
    const address = `/projects/${server.projectId}/quotas`;
    const set = expectData(await put(address, { quotas: { bytes: 1000 } }));
    expect(usageOf(set, 'bytes')).toEqual({ metric: 'bytes', limit: 1000, used: 400, reserved: 0, period: null });
    expect(usageOf(set, 'files')).toMatchObject({ limit: null, used: 1 });
    expect(usageOf(set, 'egressBytes')).toMatchObject({ limit: null, used: null });
    const refused = expectRefused(await upload('too much', 601), 403);
    expect(refused).toMatchObject({
      error: 'quota_exceeded',
      details: { metric: 'bytes', limit: 1000, used: 1001, scope: server.projectId },
    });
    expectData(await upload('just enough', 600), 201);
    expectRefused(await server.api('POST', `/files/${id}/copy`, { json: { path: 'a copy' } }), 403);
    expectData(await server.api('DELETE', `/files/${id}`, { query: { permanent: true } }));
    expect(usageOf(expectData(await server.api<Report>('GET', address)), 'bytes')).toMatchObject({ used: 600 });
    expectData(await put(address, { quotas: {} }));
    expectData(await upload('lifted', 5000), 201);
  });

  it('come from the plan of an organization, unless it sets them itself', async () => {
    const address = `/organizations/${organizationId}/quotas`;
    expectData(await put('/plans/small', { quotas: { files: 1, uploadBytes: 10 } }));
    expectRefused(await put(address, { plan: 'none' }), 400);
    const on = expectData(await put(address, { plan: 'small', quotas: { uploadBytes: null } }));
    expect(on).toMatchObject({ plan: 'small', quotas: { uploadBytes: null } });
    expect(usageOf(on, 'uploadBytes')?.limit).toBeNull();
    expect(expectRefused(await upload('one more', 1), 403)).toMatchObject({
      details: { metric: 'files', limit: 1, scope: organizationId },
    });
    expectRefused(await server.api('DELETE', '/plans/small'), 409);
    expectData(await put('/plans/small', { quotas: { files: 100 } }));
    expectData(await upload('one more', 1), 201);
    expectData(await put(address, { plan: null }));
    expect((await server.api('DELETE', '/plans/small')).status).toBe(204);
  });

  it('are set by the level above, and by nobody else', async () => {
    const stranger = await register(server);
    const json = { quotas: { bytes: 1 } };
    const places = [`/organizations/${organizationId}/quotas`, `/projects/${server.projectId}/quotas`];
    for (const path of places) {
      expectRefused(await stranger.call('PUT', path, { json }), 403, 404);
      expectRefused(await stranger.call('GET', path), 404);
      expectRefused(await server.api('PUT', path, { json, key: null }), 401);
      expectData(await owner.call('GET', path));
      for (const wrong of [{ quotas: { bytes: -1 } }, { quotas: { bites: 1 } }, { quotas: { bytes: '1' } }, {}, []])
        if (!(path.startsWith('/organizations') && JSON.stringify(wrong) === '{}'))
          expectRefused(await server.api('PUT', path, { json: wrong }), 400);
    }
    expectRefused(await stranger.call('PUT', '/plans/mine', { json }), 403);
    const made = await server.api<{ token: string; key: string }>('POST', '/api-keys', {
      json: { projectId: server.projectId, name: 'plain', permissions: ['admin'] },
    });
    const key = (expectData(made, 201) as unknown as Record<string, string>).key ?? made.data.token;
    for (const path of places) expectRefused(await put(path, json, key), 403, 404);
    expectRefused(await put('/plans/mine', json, key), 403);
    expectRefused(await server.api('PATCH', '/rate-limits', { json: { read: null }, key }), 403);
    expectData(await owner.call('PUT', places[1] as string, { json: { quotas: {} } }));
  });
});

it('nothing stays reserved after a crash in the middle of uploads', async () => {
  const address = `/projects/${server.projectId}/quotas`;
  const reserved = async () => {
    const report = expectData(await server.api<Report>('GET', address));
    return usageOf(report, 'bytes')?.reserved;
  };
  expectData(await put(address, { quotas: { bytes: 1_000_000 } }));
  const halves = Array.from({ length: 5 }, (_, each) => {
    const asked = request(`${server.url}/api/v1/files?path=half-${each}`, {
      method: 'POST',
      headers: { 'x-api-key': server.apiKey, 'content-length': '1000' },
    });
    asked.on('error', () => {});
    asked.write('half');
    return asked;
  });
  await until(async () => (await reserved()) === 5000, { what: 'five reservations' });
  await server.restart({ signal: 'SIGKILL' });
  for (const half of halves) half.destroy();
  expectData(await server.api('POST', '/uploads/collect'));
  expect(await reserved()).toBe(0);
  expectData(await put(address, { quotas: {} }));
});

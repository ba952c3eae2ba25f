import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../support/api.ts';
import { until } from '../support/clock.ts';
import { type Person, register } from '../support/people.ts';
import { type Server, startServer } from '../support/server.ts';

interface Figures {
  uploads: number;
  downloads: number;
  bytesIn: number;
  bytesOut: number;
  apiCalls: number;
  storageByteHours: number;
}
interface Overview {
  from: string;
  to: string;
  currency: string;
  totals: Figures;
  cost: number;
  lines: { metric: string; quantity: number; price: number; per: number; cost: number }[];
  storedBytes: number;
}
interface Invoice {
  month: string;
  currency: string;
  total: number;
  isFinal: boolean;
  lines: { metric: string; quantity: number; amount: number }[];
}

let server: Server;
let owner: Person;
let organizationId: string;

beforeAll(async () => {
  server = await startServer();
  owner = await register(server);
  const project = await server.api<{ organizationId: string }>('GET', `/projects/${server.projectId}`);
  organizationId = project.data.organizationId;
});
afterAll(() => server.stop());

const overview = async (query = {}) => expectData(await server.api<Overview>('GET', '/usage/overview', { query }));
const today = () => new Date().toISOString().slice(0, 10);

describe('usage', () => {
  it('tells a key what its project used, and what that costs', async () => {
    const body = new Uint8Array(1_000_000);
    const file = expectData(
      await server.api<{ url: string }>('POST', '/files', { query: { path: 'a', visibility: 'public' }, body }),
      201,
    );
    for (let each = 0; each < 3; each++)
      expect((await (await fetch(file.url)).arrayBuffer()).byteLength).toBe(1_000_000);
    await until(async () => (await overview()).totals.bytesOut === 3_000_000, { what: 'the downloads' });
    const seen = await overview();
    expect(seen).toMatchObject({
      currency: 'USD',
      storedBytes: 1_000_000,
      totals: { uploads: 1, downloads: 3, bytesIn: 1_000_000 },
    });
    expect(seen.from).toBe(`${seen.to.slice(0, 8)}01`);
    const out = seen.lines.find(({ metric }) => metric === 'bytesOut');
    expect(out).toEqual({
      metric: 'bytesOut',
      unit: 'byte',
      quantity: 3_000_000,
      price: 0.05,
      per: 1e9,
      cost: 0.00015,
    });
    expect(seen.cost).toBeCloseTo(
      seen.lines.reduce((sum, { cost }) => sum + cost, 0),
      6,
    );
  });

  it('breaks it down, page by page, the largest first', async () => {
    expectData(await server.api('POST', '/files', { query: { path: 'b' }, body: 'b' }), 201);
    const get = (query: object) =>
      server.api<{ items: { value: string; bytesIn: number }[]; nextCursor: string | null }>(
        'GET',
        '/usage/breakdown',
        {
          query: { by: 'key', sort: 'bytesIn', limit: 1, ...query },
        },
      );
    const first = expectData(await get({}));
    expect(first.items).toMatchObject([
      { bytesIn: 1_000_001, value: expect.stringMatching(/^key_/), name: expect.any(String) },
    ]);
    const second = expectData(await get({ cursor: first.nextCursor }));
    expect(second.items).toMatchObject([{ value: '', bytesIn: 0, downloads: 3 }]);
    expect(second.nextCursor).toBeNull();
    expectRefused(await get({ cursor: first.nextCursor, by: 'day' }), 400);
    expectRefused(await get({ by: 'planet' }), 400);
    expectRefused(await get({ from: '2026-01-02', to: '2026-01-01' }), 400);
    expectRefused(await get({ from: '2020-01-01', to: '2026-01-01' }), 400);
    expectRefused(await get({ from: '2026-02-30' }), 400);
  });

  it('follows it by day and month, none left out, and compares', async () => {
    const query = { from: '2026-01-30', to: today() };
    const get = async (interval: string) =>
      expectData(
        await server.api<{ points: { value: string; uploads: number }[]; change: Record<string, number | null> }>(
          'GET',
          '/usage/trends',
          { query: { ...query, interval } },
        ),
      );
    const days = await get('day');
    expect(days.points.slice(0, 3).map(({ value }) => value)).toEqual(['2026-01-30', '2026-01-31', '2026-02-01']);
    expect(days.points.at(-1)).toMatchObject({ value: query.to, uploads: 2 });
    expect(days.change.uploads).toBeNull();
    const months = await get('month');
    expect(months.points[0]).toMatchObject({ value: '2026-01', uploads: 0 });
    expect(months.points.at(-1)).toMatchObject({ uploads: 2 });
  });

  it('is downloaded as CSV and JSON lines', async () => {
    const get = (format: string) =>
      server.request(`/api/v1/usage/export?format=${format}`, { headers: { 'x-api-key': server.apiKey } });
    const csv = await get('csv');
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="usage.csv"');
    expect((await csv.text()).split('\r\n')[0]).toMatch(/^day,projectId,tenantId,bucketId,keyId,uploads,.*,cost$/);
    const lines = (await (await get('jsonl')).text()).trim().split('\n');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ day: today(), projectId: server.projectId, tenantId: null });
  });

  it('is for owners and admins of the organization, and for nobody else', async () => {
    const ofOrganization = { query: { organizationId } };
    const whole = expectData(await owner.call<Overview>('GET', '/usage/overview', ofOrganization));
    expect(whole.totals.uploads).toBe(2);
    expectRefused(await owner.call('GET', '/usage/overview'), 400);
    const stranger = await register(server);
    expectRefused(await stranger.call('GET', '/usage/overview', ofOrganization), 404);
    expectRefused(await stranger.call('GET', '/usage/invoices', ofOrganization), 404);
    expectRefused(await server.api('GET', '/usage/overview', { key: null }), 401);
    expectRefused(await stranger.call('PUT', '/prices', { json: { prices: {} } }), 403);
    expectRefused(await stranger.call('GET', `/organizations/${organizationId}/prices`), 404);
  });
});

describe('invoices and prices', () => {
  const month = () => today().slice(0, 7);

  it('say what a month cost by metric and price, as JSON and as CSV', async () => {
    const dear = { bytesIn: { price: 0.01, per: 1000 }, uploads: { price: 1.5, per: 1 } };
    const table = expectData(
      await owner.call<{ prices: object }>('PUT', '/prices', { json: { currency: 'EUR', prices: dear } }),
    );
    expect(table).toMatchObject({
      currency: 'EUR',
      month: month(),
      set: dear,
      prices: { ...dear, bytesOut: { price: 0.05 } },
    });
    const query = { organizationId };
    const get = async () => expectData(await owner.call<Invoice>('GET', `/usage/invoices/${month()}`, { query }));
    const invoice = await get();
    expect(invoice).toMatchObject({ currency: 'EUR', isFinal: false, total: 13, organizationId, projectId: null });
    expect(invoice.lines.filter(({ amount }) => amount > 0)).toMatchObject([
      { metric: 'uploads', quantity: 2, amount: 3, price: 1.5 },
      { metric: 'bytesIn', quantity: 1_000_001, amount: 10, per: 1000 },
    ]);
    const { invoices } = expectData(await owner.call<{ invoices: Invoice[] }>('GET', '/usage/invoices', { query }));
    expect(invoices).toEqual([{ month: month(), currency: 'EUR', total: 13, isFinal: false }]);
    const csv = await server.request(`/api/v1/usage/invoices/${month()}?format=csv`, {
      headers: { 'x-api-key': server.apiKey },
    });
    expect(csv.headers.get('content-disposition')).toBe(`attachment; filename="invoice-${month()}.csv"`);
    const rows = (await csv.text()).trim().split('\r\n');
    expect(rows[1]).toBe(`${month()},${organizationId},${server.projectId},uploads,upload,2,1.5,1,3.00,EUR`);
    expect(rows.at(-1)).toBe(`${month()},${organizationId},${server.projectId},total,,,,,13.00,EUR`);
  });

  it('differ for an organization, as administrators of the server say', async () => {
    const address = `/organizations/${organizationId}/prices`;
    const json = { prices: { uploads: { price: 0, per: 1 } } };
    expectData(await server.api('PUT', address, { json }));
    const query = { organizationId };
    const free = expectData(await owner.call<Invoice>('GET', `/usage/invoices/${month()}`, { query }));
    expect(free.total).toBe(10);
    expectData(await server.api('PUT', address, { json: { prices: {} } }));
    expect(expectData(await owner.call<Invoice>('GET', `/usage/invoices/${month()}`, { query })).total).toBe(13);
    for (const prices of [
      { uploads: { price: -1, per: 1 } },
      { uploads: { price: 1e-10, per: 1 } },
      { uploads: 1 },
      { planets: {} },
    ])
      expectRefused(await server.api('PUT', address, { json: { prices } }), 400);
  });

  it('are not there for a month that has not begun', async () => {
    for (const wrong of ['2999-01', '2026-13', 'x'])
      expect(
        (await owner.call('GET', `/usage/invoices/${wrong}`, { query: { organizationId } })).status,
      ).toBeGreaterThanOrEqual(400);
  });
});

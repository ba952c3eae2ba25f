import { Readable } from 'node:stream';
import type { Queryable, ServedFileRow } from '@carcosa/database';
import { UsageMeter } from '@carcosa/domain';
import { silentLogger } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { QuotaWorld, type Scopes } from '../quotas/support.ts';

/** More than what is counted when its answer begins. */
const LARGE = 1_000_000;

let world: QuotaWorld;
let scopes: Scopes;
beforeAll(async () => {
  world = await QuotaWorld.open('embedded');
});
afterAll(() => world.close());

const send = async (path: string, body: BodyInit, key = scopes.key) => {
  const headers = { 'x-api-key': key };
  const answer = await fetch(`${world.node.url}/api/v1/files?visibility=public&path=${path}`, {
    method: 'POST',
    headers,
    body,
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { data: { id: string; key: string } }).data;
};
const totals = async () => {
  const actor = await world.carcosa.apiKeys.authenticate(scopes.key);
  return (await world.carcosa.usageReports.overview(actor, {})).totals;
};
const read = async (path: string, init: RequestInit = {}) => {
  const answer = await fetch(`${world.node.url}${path}`, init);
  await answer.arrayBuffer();
  return answer.status;
};

describe('what is counted in memory', () => {
  beforeAll(async () => {
    scopes = await world.scopes();
  });

  it('is each answer with bytes of a file, and what went out of it', async () => {
    const small = await send('small', 'x'.repeat(1000));
    const large = await send('large', Buffer.alloc(LARGE, 'x'));
    expect(await read(`/f/${small.key}`)).toBe(200);
    expect(await read(`/f/${small.key}`, { headers: { range: 'bytes=0-99' } })).toBe(206);
    expect(await read(`/f/${small.key}`, { method: 'HEAD' })).toBe(200);
    expect(await read(`/f/${large.key}`)).toBe(200);
    await until(async () => (await totals()).bytesOut === 1100 + LARGE, { what: 'the bytes of the large one' });
    expect(await totals()).toMatchObject({ downloads: 3, uploads: 2, bytesIn: 1000 + LARGE, apiCalls: 2 });
  });

  it('is told apart by key, where somebody asks with one', async () => {
    const { id } = await send('keyed', 'keyed');
    const before = await totals();
    expect(await read(`/api/v1/files/${id}/download`, { headers: { 'x-api-key': scopes.key } })).toBe(200);
    expect(await read(`/api/v1/files/${id}`, { headers: { 'x-api-key': scopes.key } })).toBe(200);
    expect(await read(`/api/v1/files/${id}`, { headers: { 'x-api-key': 'sk_wrong' } })).toBe(401);
    const actor = await world.carcosa.apiKeys.authenticate(scopes.key);
    const query = { by: 'key', sort: 'downloads', limit: 10 } as const;
    const { items } = await world.carcosa.usageReports.breakdown(actor, query);
    const mine = items.find(({ value }) => value === actor.id);
    expect(mine).toMatchObject({ downloads: 1, bytesOut: 5, name: 'test' });
    const after = await totals();
    expect(after.downloads - before.downloads).toBe(1);
    expect(after.apiCalls - before.apiCalls).toBe(2);
  });

  it('is what the day had, page by page, in CSV and as JSON lines', async () => {
    const actor = await world.carcosa.apiKeys.authenticate(scopes.key);
    const { usageReports } = world.carcosa;
    const text = async (format: 'csv' | 'jsonl') =>
      (await Readable.from(await usageReports.export(actor, { format })).toArray()).join('');
    const lines = (await text('jsonl'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, number>);
    const sum = (name: string) => lines.reduce((total, line) => total + (line[name] ?? 0), 0);
    expect({ uploads: sum('uploads'), downloads: sum('downloads'), bytesOut: sum('bytesOut') }).toEqual(
      (({ uploads, downloads, bytesOut }) => ({ uploads, downloads, bytesOut }))(await totals()),
    );
    const [head, ...rows] = (await text('csv')).trim().split('\r\n');
    expect(head).toBe(
      'day,projectId,tenantId,bucketId,keyId,uploads,downloads,bytesIn,bytesOut,transforms,transformSeconds,apiCalls,storageByteHours,cost',
    );
    expect(rows).toHaveLength(lines.length);
  });
});

describe('a flush', () => {
  it('whose answer was lost is repeated, and counts once; what comes meanwhile is not lost', async () => {
    scopes = await world.scopes();
    const { projectId, tenantId } = scopes;
    let isCut = true;
    const { pool } = world.database;
    const db: Queryable = {
      query: (async (...args: Parameters<Queryable['query']>) => {
        const result = await pool.query(...(args as unknown as Parameters<typeof pool.query>));
        if (isCut) throw new Error('the connection broke before the answer came');
        return result;
      }) as unknown as Queryable['query'],
    };
    const meter = new UsageMeter({ db, clock: world.clock, logger: silentLogger, instance: 'node_lost' });
    const file = { projectId, tenantId, bucketId: 'bkt_x' } as unknown as ServedFileRow;
    meter.countDownload(file, null, 10);
    meter.countDownload({ ...file }, null, 5);
    await meter.flush();
    meter.countDownload(file, null, 100);
    await meter.flush();
    isCut = false;
    await meter.flush();
    await meter.close();
    expect(await totals()).toMatchObject({ downloads: 3, bytesOut: 115 });
  });

  it('comes at the end of a node, whose counts are all there', async () => {
    scopes = await world.scopes();
    const other = await world.addNode();
    const file = await send('at-the-end', '12345');
    for (let each = 0; each < 7; each++)
      expect((await fetch(`${other.url}/f/${file.key}`).then((answer) => answer.text())).length).toBe(5);
    await other.close();
    world.nodes.splice(world.nodes.indexOf(other), 1);
    expect(await totals()).toMatchObject({ downloads: 7, bytesOut: 35 });
  });
});

import { SYSTEM } from '@carcosa/domain';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { QuotaWorld, type Scopes } from './support.ts';

const SIZE = 10_000;

describe('egress', () => {
  let world: QuotaWorld;
  let scopes: Scopes;
  let file: { id: string; key: string };
  beforeAll(async () => {
    world = await QuotaWorld.open('embedded');
    scopes = await world.scopes();
    const answer = await fetch(`${world.node.url}/api/v1/files?path=x&visibility=public`, {
      method: 'POST',
      headers: { 'x-api-key': scopes.key },
      body: Buffer.alloc(SIZE, 'x'),
    });
    file = ((await answer.json()) as { data: typeof file }).data;
  });
  afterAll(() => world.close());

  const download = async (headers: Record<string, string> = {}, method = 'GET') => {
    const answer = await fetch(`${world.node.url}/f/${file.key}`, { method, headers });
    return { status: answer.status, bytes: (await answer.arrayBuffer()).byteLength };
  };
  /** What the database knows, when all that was sent has been told to it. */
  const used = async (): Promise<number | null> => {
    await world.carcosa.egress.flush();
    return (await world.usage(scopes.projectId, 'egressBytes')).used;
  };
  const usedIs = (bytes: number) => until(async () => (await used()) === bytes, { what: `${bytes} bytes of egress` });

  it('is not counted where nothing limits it', async () => {
    expect(await download()).toEqual({ status: 200, bytes: SIZE });
    expect(await used()).toBeNull();
  });

  it('counts what went out, of ranges only those, of HEAD and 304 nothing', async () => {
    await world.setProject(scopes.projectId, { egressBytes: 5 * SIZE });
    expect(await download()).toEqual({ status: 200, bytes: SIZE });
    expect(await download({ range: 'bytes=0-99' })).toEqual({ status: 206, bytes: 100 });
    expect((await download({}, 'HEAD')).status).toBe(200);
    const { headers } = await fetch(`${world.node.url}/f/${file.key}`, { method: 'HEAD' });
    expect((await download({ 'if-none-match': headers.get('etag') ?? '' })).status).toBe(304);
    await usedIs(SIZE + 100);
  });

  it('refuses when it is used up, on every node, until the month ends or more is allowed', async () => {
    for (let each = 0; each < 4; each++) expect((await download()).status).toBe(200);
    await usedIs(5 * SIZE + 100);
    const refused = await fetch(`${world.node.url}/f/${file.key}`);
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({
      error: 'quota_exceeded',
      details: { metric: 'egressBytes', limit: 5 * SIZE, used: 5 * SIZE + 100, scope: scopes.projectId },
    });
    const byId = { headers: { 'x-api-key': scopes.key } };
    expect((await fetch(`${world.node.url}/api/v1/files/${file.id}/download`, byId)).status).toBe(403);
    const other = await world.addNode();
    await until(async () => (await fetch(`${other.url}/f/${file.key}`)).status === 403, { what: 'the other node' });

    await world.setProject(scopes.projectId, { egressBytes: 100 * SIZE });
    expect((await download()).status).toBe(200);
    await world.carcosa.quotaSettings.setOrganization(SYSTEM, scopes.organizationId, { quotas: { egressBytes: 0 } });
    expect((await download()).status, 'the organization has a say too').toBe(403);
    await world.carcosa.quotaSettings.setOrganization(SYSTEM, scopes.organizationId, { quotas: {} });
    await world.setProject(scopes.projectId, { egressBytes: 1 });
    expect((await download()).status).toBe(403);
    world.clock.advance(31 * 24 * 3_600_000);
    expect((await download()).status, 'a new month').toBe(200);
    await usedIs(SIZE);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { type Server, startServer } from '../support/server.ts';

interface Entry {
  id: number;
  at: string;
  actor: { type: string; id: string | null };
  ipAddress: string | null;
  userAgent: string | null;
  requestId: string | null;
  action: string;
  resource: { type: string; id: string | null } | null;
  organizationId: string | null;
  projectId: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  result: string;
}
interface Page {
  items: Entry[];
  nextCursor: string | null;
  hasMore: boolean;
}
interface FileBody {
  id: string;
  key: string;
  path: string;
}

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const entries = async (query: Record<string, string | number> = {}): Promise<Entry[]> =>
  expectData(await server.api<Page>('GET', '/audit-logs', { query: { limit: 1000, ...query } })).items;
const about = (resource: string): Promise<Entry[]> => entries({ resource });

async function put(path: string, content = 'hello', headers: Record<string, string> = {}): Promise<FileBody> {
  const options = { query: { path }, body: content, headers: { 'content-type': 'text/plain', ...headers } };
  return expectData(await server.api<FileBody>('POST', '/files', options), 201);
}

describe('what is done', () => {
  it('is there with who did it, from where, and to what', async () => {
    const file = await put('audited.txt', 'hello', { 'user-agent': 'a test', 'x-request-id': 'req-of-a-test' });
    const again = await put('audited.txt', 'hello again');
    expect(again.id).toBe(file.id);
    const signed = await server.api('POST', `/files/${file.id}/signed-url`, { json: { expiresIn: 60 } });
    expect(signed.status).toBeLessThan(300);
    expectData(
      await server.api('PATCH', `/files/${file.id}`, { json: { visibility: 'private', metadata: { token: 'abc' } } }),
    );
    expectData(await server.api('DELETE', `/files/${file.id}`, { query: { permanent: true } }));
    const found = (await about(file.id)).reverse();
    expect(found.map(({ action }) => action)).toEqual([
      ...['file.create', 'file.replace', 'file.sign-url', 'file.update', 'file.purge'],
    ]);
    expect(found[0]).toMatchObject({
      actor: { type: 'api-key', id: expect.stringMatching(/^key_/) },
      ...{ ipAddress: '127.0.0.1', userAgent: 'a test', requestId: 'req-of-a-test', result: 'success' },
      ...{ resource: { type: 'file', id: file.id }, projectId: server.projectId },
      organizationId: expect.stringMatching(/^org_/),
      ...{ before: null, after: { path: 'audited.txt', size: 5, version: 1, door: 'simple' } },
    });
    expect(found[1]).toMatchObject({ before: { version: 1 }, after: { version: 2, size: 11 } });
    expect(found[2]?.after).toMatchObject({ expiresAt: expect.any(String), download: false });
    expect(found[3]).toMatchObject({ after: { visibility: 'private', metadata: { token: '[redacted]' } } });
    expect(JSON.stringify(found)).not.toContain('signature=');
  });

  it('comes through every door, by who completed it', async () => {
    const tus = await server.request('/api/v1/tus', {
      method: 'POST',
      headers: {
        ...{ authorization: `Bearer ${server.apiKey}`, 'tus-resumable': '1.0.0', 'upload-length': '3' },
        'upload-metadata': `path ${Buffer.from('by-tus.txt').toString('base64')}`,
      },
    });
    const patched = await server.request(new URL(tus.headers.get('location') ?? '', server.url).pathname, {
      method: 'PATCH',
      headers: {
        ...{ authorization: `Bearer ${server.apiKey}`, 'tus-resumable': '1.0.0', 'upload-offset': '0' },
        ...{ 'content-type': 'application/offset+octet-stream', 'user-agent': 'the last patch' },
      },
      body: 'abc',
    });
    const tusFile = patched.headers.get('carcosa-file-id') ?? '';
    expect(await about(tusFile)).toMatchObject([
      { action: 'file.create', userAgent: 'the last patch', after: { path: 'by-tus.txt', door: 'tus' } },
    ]);

    const init = { fileName: 'direct.txt', path: 'direct.txt', size: 3, contentType: 'text/plain' };
    const begun = expectData(
      await server.api<{ uploadId: string; url: string; headers: Record<string, string> }>('POST', '/uploads/init', {
        json: init,
      }),
      201,
    );
    expect((await fetch(begun.url, { method: 'PUT', headers: begun.headers, body: 'xyz' })).status).toBeLessThan(300);
    const direct = expectData(await server.api<FileBody>('POST', `/uploads/${begun.uploadId}/complete`, { json: {} }));
    expect(await about(direct.id)).toMatchObject([
      { action: 'file.create', after: { path: 'direct.txt', door: 'direct', uploadId: begun.uploadId } },
    ]);

    const aborted = expectData(
      await server.api<{ uploadId: string }>('POST', '/uploads/init', { json: { ...init, path: 'never.txt' } }),
      201,
    );
    expect((await server.api('DELETE', `/uploads/${aborted.uploadId}`)).status).toBeLessThan(300);
    expect(await about(aborted.uploadId)).toMatchObject([
      { action: 'upload.abort', before: { path: 'never.txt', size: 3, door: 'direct' }, after: null },
    ]);
  });

  it('is made once, also when the request is repeated', async () => {
    const files = await Promise.all(Array.from({ length: 30 }, (_, index) => put(`many/${index}.txt`)));
    const made = await entries({ action: 'file.create' });
    for (const { id } of files) expect(made.filter((entry) => entry.resource?.id === id)).toHaveLength(1);
  });
});

describe('the log', () => {
  it('can be filtered, and read page by page', async () => {
    for (let index = 0; index < 5; index++) await put(`pages/${index}.txt`);
    const all = await entries({ action: 'file.create' });
    const pages: Entry[] = [];
    let cursor: string | null | undefined;
    do {
      const query = { action: 'file.create', limit: 2, ...(cursor ? { cursor } : {}) };
      const page: Page = expectData(await server.api<Page>('GET', '/audit-logs', { query }));
      pages.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    expect(pages).toEqual(all);
    const [, second] = all;
    expect(await entries({ action: 'file.create', from: second?.at ?? '' })).toContainEqual(second);
    expect(await entries({ to: all.at(-1)?.at ?? '', action: 'file.create' })).toEqual([]);
    expect(await entries({ actor: 'usr_nobody' })).toEqual([]);
    for (const query of [{ from: 'today' }, { limit: 0 }, { format: 'csv' }])
      expect((await server.api('GET', '/audit-logs', { query })).status).toBe(400);
  });

  it('is exported as CSV and JSON lines', async () => {
    await put('=cmd|calc.txt');
    const get = (format: string) =>
      server.request(`/api/v1/audit-logs/export?format=${format}&action=file.create`, {
        headers: { authorization: `Bearer ${server.apiKey}` },
      });
    const all = await entries({ action: 'file.create' });
    const jsonl = await get('jsonl');
    expect(jsonl.headers.get('content-type')).toBe('application/jsonl; charset=utf-8');
    expect(jsonl.headers.get('content-disposition')).toBe('attachment; filename="audit-log.jsonl"');
    expect(
      (await jsonl.text())
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(all);
    const csv = await get('csv');
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect((await csv.text()).trimEnd().split('\r\n')).toHaveLength(all.length + 1);
    expect((await get('xml')).status).toBe(400);
  });

  it('is not for strangers, and shows a key nothing of others', async () => {
    for (const path of ['', '/export?format=csv', '/verify']) {
      const anonymous = await server.request(`/api/v1/audit-logs${path}`);
      expect(anonymous.status).toBe(401);
      const foreign = await server.request(
        `/api/v1/audit-logs${path}${path.includes('?') ? '&' : '?'}organizationId=org_00000000000000000000000000`,
        { headers: { authorization: `Bearer ${server.apiKey}` } },
      );
      expect(foreign.status, path).toBe(404);
    }
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { expectIntact } from '../support/files.ts';
import { patternBytes } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
afterEach(() => server.stop());

interface SlowUpload {
  bytes: Uint8Array;
  /** Sends the rest. */
  finish(): void;
  answer: Promise<Response>;
}

/** An upload that sends the first half of its bytes, and the other when it is told to. */
function slowUpload(path: string, size: number): SlowUpload {
  const bytes = patternBytes(path, size);
  const { promise: told, resolve: finish } = Promise.withResolvers<void>();
  const body = new ReadableStream({
    start: async (controller) => {
      controller.enqueue(bytes.subarray(0, size - 1));
      await told;
      controller.enqueue(bytes.subarray(size - 1));
      controller.close();
    },
  });
  const headers = { authorization: `Bearer ${server.apiKey}`, 'content-length': String(size) };
  const answer = fetch(`${server.url}/api/v1/files?path=${path}`, {
    method: 'POST',
    headers,
    body,
    duplex: 'half',
  } as RequestInit);
  answer.catch(() => {});
  return { bytes, finish, answer };
}

const upload = (path: string) => server.api<FileInfo>('POST', '/files', { query: { path }, body: 'one more' });

async function metric(name: string): Promise<number> {
  const text = await (await server.request('/metrics')).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1] ?? Number.NaN,
  );
}
const uploadsInFlight = () => metric('carcosa_work_in_flight{work="upload"}');

async function expectStored(slow: SlowUpload): Promise<void> {
  const answer = await slow.answer;
  expect(answer.status).toBe(201);
  const { data } = (await answer.json()) as { data: FileInfo };
  await expectIntact(server, data, slow.bytes);
}

describe('a server with more uploads than it may have', () => {
  it('sends those away that are not begun, ends those that are, and goes on', async () => {
    server = await startServer({ env: { CARCOSA_MAX_UPLOADS: '3' } });
    const tus = await server.request('/api/v1/tus', {
      method: 'POST',
      headers: { authorization: `Bearer ${server.apiKey}`, 'tus-resumable': '1.0.0', 'upload-length': '4' },
    });
    const slow = [1, 2, 3].map((n) => slowUpload(`slow/${n}.bin`, n * 1_000_000));
    await until(async () => (await uploadsInFlight()) === 3, { what: 'three uploads under way' });
    const refused = await upload('refused.txt');
    expect([refused.status, refused.body]).toMatchObject([503, { error: 'overloaded', details: { reason: 'count' } }]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const init = await server.api('POST', '/uploads/init', { json: { fileName: 'x', size: 5 } });
    expect(init.status).toBe(503);
    // What was begun goes on, and who watches is answered.
    const patched = await server.request(`/api/v1/tus/${tus.headers.get('location')?.split('/').at(-1)}`, {
      method: 'PATCH',
      headers: {
        ...{ authorization: `Bearer ${server.apiKey}`, 'tus-resumable': '1.0.0', 'upload-offset': '0' },
        'content-type': 'application/offset+octet-stream',
      },
      body: 'four',
    });
    expect(patched.status).toBe(204);
    for (const path of ['/health', '/ready', '/metrics', '/api/v1/health'])
      expect([path, (await server.request(path)).status]).toEqual([path, 200]);
    expect((await server.api('GET', '/files')).status).toBe(200);
    for (const each of slow) each.finish();
    for (const each of slow) await expectStored(each);
    expect((await upload('taken.txt')).status).toBe(201);
    expect(await metric('carcosa_work_shed_total{work="upload",reason="count"}')).toBe(2);
  });
});

describe('a server whose memory runs short under many slow uploads', () => {
  it('sends new ones away, stays up, ends those that are under way, and takes new ones afterwards', async () => {
    server = await startServer();
    await upload('first.txt');
    const resident = await metric('process_resident_memory_bytes');
    await server.stop();
    server = await startServer({ env: { CARCOSA_MAX_MEMORY: String(Math.round(resident + 20_000_000)) } });
    // Small uploads are gathered in memory: each of these holds a quarter of a mebibyte until its last byte.
    const slow: SlowUpload[] = [];
    let refused: Response | undefined;
    while (!refused && slow.length < 1000) {
      const each = slowUpload(`slow/${slow.length}.bin`, 262_000);
      void each.answer.then((answer) => {
        refused = answer;
      });
      await until(async () => refused || (await uploadsInFlight()) > slow.length, { what: 'an upload under way' });
      if (!refused) slow.push(each);
    }
    expect(refused?.status).toBe(503);
    expect(await refused?.json()).toMatchObject({ error: 'overloaded', details: { reason: 'memory' } });
    const shed = await metric('carcosa_work_shed_total{work="upload",reason="memory"}');
    expect(shed).toBeGreaterThan(0);
    expect((await server.request('/health')).status).toBe(200);
    expect(slow.length).toBeGreaterThan(10);
    for (const each of slow) each.finish();
    for (const each of slow) await expectStored(each);
    expect((await upload('afterwards.txt')).status).toBe(201);
  });
});

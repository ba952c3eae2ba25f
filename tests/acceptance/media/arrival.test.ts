import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { EICAR, FakeClamd } from '../../support/clamd.ts';
import { makeFilm } from '../../support/media.ts';
import { type Server, startServer } from '../../support/server.ts';
import { describeWith } from '../../support/tools.ts';
import { WebhookReceiver } from '../../support/webhook-receiver.ts';

interface Stored {
  id: string;
  path: string;
  url: string;
  tags: string[];
  metadata: Record<string, unknown>;
  facts: object | null;
  quarantine: { state: string; reason: string | null } | null;
}

let server: Server;
const put = async (where: string, body: Uint8Array, query: Record<string, string> = {}): Promise<Stored> =>
  expectData(await server.api<Stored>('POST', '/files', { query: { path: where, ...query }, body }), 201);
const read = async (id: string): Promise<Stored> => expectData(await server.api<Stored>('GET', `/files/${id}`));
const settle = async (onArrival: object[]): Promise<void> => {
  expectData(await server.api('PATCH', `/projects/${server.projectId}`, { json: { settings: { onArrival } } }));
};
const paths = async (folder: string): Promise<string[]> =>
  expectData(
    await server.api<{ items: Stored[] }>('GET', '/files', { query: { folder, recursive: true, sort: 'path' } }),
  ).items.map((each) => each.path);
const events = async (type: string, resourceId: string) =>
  expectData(
    await server.api<{ items: { data: Record<string, unknown> }[] }>('GET', '/events', { query: { type, resourceId } }),
  ).items;
const picture = (background: string) =>
  sharp({ create: { width: 60, height: 40, channels: 3, background } })
    .png()
    .toBuffer();

describe('rules of a project', () => {
  let receiver: WebhookReceiver;
  beforeAll(async () => {
    receiver = await WebhookReceiver.open();
    server = await startServer({ env: { CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8' } });
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await receiver.close();
  });
  afterEach(() => settle([]));

  it('make pictures of what comes into a folder, and nothing of what they have made', async () => {
    await settle([
      { type: 'image/*', folder: 'in', steps: [{ type: 'image', transform: 'w_30,f_webp' }, { type: 'hls' }] },
      { type: 'video/*', steps: [{ type: 'poster' }] },
    ]);
    await put('out/a.png', await picture('red'));
    await put('in/a.png', await picture('red'));
    await put('in/a.txt', Buffer.from('text'));
    await expect.poll(() => paths('in'), { timeout: 30_000 }).toEqual(['in/a.30x20.webp', 'in/a.png', 'in/a.txt']);
    const jobs = expectData(
      await server.api<{ items: { origin: string; status: string; createdBy: string }[] }>('GET', '/transform/jobs'),
    ).items;
    expect(jobs).toMatchObject([{ origin: 'arrival', createdBy: 'system' }]);
    // Facts of the result are known when its arrival was handled: it has made no job.
    const [result] = expectData(
      await server.api<{ items: Stored[] }>('GET', '/files', { query: { folder: 'in', type: 'image/webp' } }),
    ).items;
    await expect.poll(async () => (await read(result?.id ?? '')).facts, { timeout: 30_000 }).not.toBeNull();
    expect(expectData(await server.api<{ items: object[] }>('GET', '/transform/jobs')).items).toHaveLength(1);
    expect(await paths('out')).toEqual(['out/a.png']);
  }, 60_000);

  it('ask a service, which tags, describes and rejects', async () => {
    receiver.behaviour = async (response, { body }) => {
      const data = body.data as { url: string; path: string };
      const bytes = await (await fetch(data.url)).bytes();
      const { dominant } = await sharp(bytes).stats();
      const findings =
        dominant.r > 200 ? { reject: 'it is red' } : { tags: ['seen'], metadata: { size: bytes.length } };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(findings));
    };
    await settle([{ type: 'image/*', inspect: { url: receiver.url } }]);
    const blue = await put('blue.png', await picture('blue'), { visibility: 'private' });
    await expect.poll(async () => (await read(blue.id)).tags, { timeout: 30_000 }).toEqual(['seen']);
    expect((await read(blue.id)).metadata).toEqual({ size: (await picture('blue')).length });
    const red = await put('red.png', await picture('red'));
    expect((await server.request(new URL(red.url).pathname)).status).toBe(200);
    await expect
      .poll(async () => (await read(red.id)).quarantine, { timeout: 30_000 })
      .toEqual({ state: 'rejected', reason: 'it is red' });
    const refused = await server.request(new URL(red.url).pathname);
    expect([refused.status, await refused.json()]).toMatchObject([
      403,
      { error: 'file_quarantined', message: 'This content is not served: it is red.' },
    ]);
    for (const address of [`/api/v1/transform/${server.projectId}/red.png?w=10`, `/t/${server.projectId}/w_10/red.png`])
      expect((await server.request(address)).status).toBe(403);
    expect((await server.api('GET', `/files/${red.id}/download`)).status).toBe(403);
    const job = { fileId: red.id, steps: [{ type: 'image', transform: 'w_10' }] };
    expect(await server.api('POST', '/transform/jobs', { json: job })).toMatchObject({
      status: 403,
      body: { error: 'file_quarantined' },
    });
    expect(await events('file.quarantined', red.id)).toMatchObject([{ data: { reason: 'it is red', by: 'http' } }]);
    expect(await events('file.inspected', blue.id)).toHaveLength(1);
  }, 60_000);

  it('are refused where they make no sense', async () => {
    for (const rule of [
      {},
      { steps: [{ type: 'poster' }], inspect: { url: 'https://x.example' } },
      { inspect: { url: 'file:///etc/passwd' } },
      { inspect: {} },
      { type: 'pictures', steps: [{ type: 'poster' }] },
      { steps: [{ type: 'nothing' }] },
    ]) {
      const answer = await server.api('PATCH', `/projects/${server.projectId}`, {
        json: { settings: { onArrival: [rule] } },
      });
      expect([rule, answer.status]).toEqual([rule, 400]);
    }
  });
});

describeWith(['ffmpeg'], 'what comes, where clamd is configured', () => {
  let clamd: FakeClamd;
  beforeAll(async () => {
    clamd = await FakeClamd.open();
    server = await startServer({ env: { CARCOSA_CLAMD: clamd.address } });
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    await clamd.close();
  });
  const status = async ({ url }: Stored): Promise<number> => (await server.request(new URL(url).pathname)).status;

  it.each([
    ['small', 100],
    ['large', 600_000],
  ])(
    'is not served before it was found clean, and then at once: a %s one',
    async (_name, length) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      clamd.gate = promise;
      const file = await put(`clean-${length}.bin`, Buffer.alloc(length, 7));
      const waiting = await server.request(new URL(file.url).pathname);
      expect([waiting.status, await waiting.json()]).toMatchObject([
        403,
        { error: 'file_quarantined', details: { state: 'pending' } },
      ]);
      expect((await read(file.id)).quarantine).toEqual({ state: 'pending', reason: null });
      const { data } = await server.api<{ url: string }>('POST', `/files/${file.id}/signed-url`, { json: {} });
      expect((await fetch(data.url)).status).toBe(403);
      const copy = expectData(
        await server.api<Stored>('POST', `/files/${file.id}/copy`, { json: { path: `copy-${length}.bin` } }),
        201,
      );
      expect(await status(copy)).toBe(403);
      resolve();
      await expect.poll(() => status(file), { timeout: 30_000 }).toBe(200);
      expect(await status(copy)).toBe(200);
      expect(clamd.scanned.at(-1)).toBe(length);
      expect(await events('file.scanned', file.id)).toHaveLength(1);
    },
    60_000,
  );

  it('is looked into after the scan alone', async () => {
    await settle([{ type: 'video/*', steps: [{ type: 'poster' }] }]);
    const film = await put('film.mp4', await makeFilm(1));
    await expect.poll(async () => (await read(film.id)).facts, { timeout: 30_000 }).toMatchObject({ kind: 'video' });
    await expect.poll(() => paths(''), { timeout: 30_000 }).toContain('film.poster.jpg');
    await settle([]);
  }, 60_000);

  it('is never served when something was found, or when it cannot be scanned', async () => {
    const infected = await put('infected.txt', Buffer.from(`${' '.repeat(200_000)}${EICAR}`));
    await expect
      .poll(async () => (await read(infected.id)).quarantine, { timeout: 30_000 })
      .toEqual({ state: 'infected', reason: 'infected with Eicar-Test-Signature' });
    expect(await status(infected)).toBe(403);
    expect(await events('file.quarantined', infected.id)).toMatchObject([{ data: { state: 'infected' } }]);
    const large = await put('large.bin', Buffer.alloc(3_000_000, 1));
    await expect.poll(async () => (await read(large.id)).quarantine?.state, { timeout: 30_000 }).toBe('unscannable');
    expect(await status(large)).toBe(403);
    // Another content at its path is another matter.
    await put('infected.txt', Buffer.from('harmless'));
    await expect.poll(() => status(infected), { timeout: 30_000 }).toBe(200);
    const former = await server.request(`${new URL(infected.url).pathname}?v=1`);
    expect(former.status).toBe(403);
  }, 60_000);

  it('waits for as long as clamd does not answer', async () => {
    clamd.isBroken = true;
    const file = await put('waits.txt', Buffer.from('waits'));
    await expect.poll(() => server.logs, { timeout: 30_000 }).toMatch(/scan-object/);
    expect(await status(file)).toBe(403);
    clamd.isBroken = false;
    await expect.poll(() => status(file), { timeout: 60_000 }).toBe(200);
  }, 90_000);
});

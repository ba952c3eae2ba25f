import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createCarcosa, isCarcosaError, verifyWebhook } from '@carcosa/sdk';
import sharp from 'sharp';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, startServer } from '../../support/server.ts';
import { WebhookReceiver } from '../../support/webhook-receiver.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.1' } });
});
afterAll(() => server?.stop());

const client = () => createCarcosa({ url: server.url, apiKey: server.apiKey, projectId: server.projectId });

it('asks for nothing that the OpenAPI document of a running server does not have', async () => {
  const document = (await (await server.request('/api/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const sources = path.join(import.meta.dirname, '../../../packages/sdk/src');
  const names = (await readdir(sources, { recursive: true })).filter((name) => /(?<!test)\.ts$/.test(name));
  const asked = new Set<string>();
  for (const name of names.filter((each) => !each.endsWith('openapi.ts'))) {
    const text = await readFile(path.join(sources, name), 'utf8');
    for (const match of text.matchAll(/'((?:GET|HEAD|POST|PUT|PATCH|DELETE) \/[\w/{}-]*)'/g)) asked.add(match[1] ?? '');
  }
  expect(asked.size).toBeGreaterThan(60);
  const missing = [...asked].filter((each) => {
    const [method = '', address = ''] = each.split(' ');
    return document.paths[`/api/v1${address}`]?.[method.toLowerCase()] === undefined;
  });
  expect(missing).toEqual([]);
});

describe('files', () => {
  it('are listed, renamed, moved, copied, tagged, thrown away and taken back', async () => {
    const { files, upload } = client();
    const made = await upload('one', { path: 'tree/a/one.txt', metadata: { n: 1 } });
    expect(await files.find('tree/a/one.txt')).toEqual(made);
    expect((await files.rename(made.id, 'two.txt')).path).toBe('tree/a/two.txt');
    expect((await files.move(made.id, 'tree/b/two.txt')).name).toBe('two.txt');
    const copy = await files.copy(made.id, 'tree/a/three.txt');
    expect((await files.setTags(copy.id, ['x', 'y'])).tags).toEqual(['x', 'y']);
    expect((await files.list({ tag: 'x' }).toArray()).map(({ id }) => id)).toEqual([copy.id]);
    const folders = await files.folders({ folder: 'tree' }).toArray();
    expect(folders.map(({ name, files: count }) => [name, count])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    const names: string[] = [];
    for await (const { name } of files.list({ folder: 'tree', recursive: true, sort: 'name', limit: 1 }))
      names.push(name);
    expect(names).toEqual(['three.txt', 'two.txt']);
    expect((await files.delete(copy.id)).deletedAt).not.toBeNull();
    expect((await files.list({ status: 'trashed' }).toArray()).map(({ id }) => id)).toEqual([copy.id]);
    expect((await files.restore(copy.id, 'tree/back.txt')).path).toBe('tree/back.txt');
    const { results } = await files.bulk({ action: 'purge', items: [{ id: copy.id }, { id: 'file_none' }] });
    expect(results.map(({ ok }) => ok)).toEqual([true, false]);
    await expect(files.get(copy.id)).rejects.toSatisfy((error) => isCarcosaError(error, 'not_found'));
  });

  it('keep their versions', async () => {
    const { files, upload } = client();
    const first = await upload('first', { path: 'versions.txt' });
    const second = await upload('second!', { path: 'versions.txt' });
    expect(second).toMatchObject({ id: first.id, version: 2 });
    expect((await files.versions(first.id).toArray()).map(({ version }) => version)).toEqual([2, 1]);
    expect(await (await files.download(first.id, { version: 1 })).text()).toBe('first');
    expect((await files.restoreVersion(first.id, 1)).version).toBe(3);
    const part = await files.download(first.id, { headers: { range: 'bytes=1-2' } });
    expect([part.status, await part.text()]).toEqual([206, 'ir']);
  });

  it('are opened by signed addresses when they are private, and shown as pictures', async () => {
    const { files, upload, transformUrl, signedTransformUrl } = client();
    const bytes = await sharp({ create: { width: 40, height: 20, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const picture = await upload(new Uint8Array(bytes), { path: 'red ü.png', visibility: 'private' });
    const transform = { width: 10, height: 10, format: 'webp' } as const;
    expect((await fetch(picture.url)).status).toBe(403);
    expect((await fetch((await files.signedUrl(picture.id)).url)).status).toBe(200);
    expect((await fetch(transformUrl(picture, transform))).status).toBe(404);
    const answer = await fetch(await signedTransformUrl(picture, transform));
    expect(await sharp(await answer.arrayBuffer()).metadata()).toMatchObject({ format: 'webp', width: 10, height: 10 });
    await files.update(picture.id, { visibility: 'public' });
    expect((await fetch(transformUrl(picture, transform))).status).toBe(200);
    const again = await upload(new Uint8Array(bytes), { path: 'red ü.png', visibility: 'private' });
    expect(again.version).toBe(2);
    expect((await fetch(await signedTransformUrl(again, transform))).status).toBe(200);
  });
});

it('gives tenants tokens, with which a browser uploads into its own part', async () => {
  const { tenants, tokens } = client();
  const tenant = await tenants.create({ name: 'Customer', externalId: 'c-1' });
  const tokenProvider = async () =>
    (await tenants.createToken(tenant.id, { permissions: ['files:read', 'files:write'] })).token;
  const browser = createCarcosa({ url: server.url, tokenProvider });
  const file = await browser.upload('theirs', { path: 'own.txt' });
  expect(file.tenantId).toBe(tenant.id);
  const large = await browser.upload(new Uint8Array(6 * 1024 * 1024), { path: 'large.bin' });
  expect((await browser.files.list().toArray()).map(({ id }) => id).sort()).toEqual([file.id, large.id].sort());
  expect(await tokens.validate(await tokenProvider())).toMatchObject({ valid: true, tenantId: tenant.id });
  await expect(browser.tenants.list().toArray()).rejects.toMatchObject({ code: 'forbidden' });
  expect((await tenants.quotas(tenant.id)).usage.length).toBeGreaterThan(0);
});

it('lets a key that may only write upload by every way', async () => {
  const { key } = await client().apiKeys.create({ name: 'drop box', permissions: ['files:write'] });
  const writer = createCarcosa({ url: server.url, apiKey: key });
  for (const size of [10, 6, 17].map((count, index) => (index === 0 ? count : count * 1024 * 1024)))
    expect((await writer.upload(new Uint8Array(size))).size).toBe(size);
});

it('reaches every operation by name, with its types', async () => {
  const health = await client().call('GET /health');
  expect(health).toMatchObject({ status: 'up' });
  const { id } = await client().upload('x');
  expect((await client().call('GET /files/{id}', { path: { id } })).name).toBe('file');
  // @ts-expect-error: there is no such operation
  await expect(client().call('GET /nothing')).rejects.toMatchObject({ code: 'not_found' });
  // @ts-expect-error: the id is missing
  await expect(client().call('GET /files/{id}', {})).rejects.toMatchObject({ code: 'not_found' });
});

describe('verifyWebhook', () => {
  it('takes what a real webhook brings, and nothing that was changed', async () => {
    const receiver = await WebhookReceiver.open();
    try {
      const { secret } = await client().webhooks.create({ url: receiver.url, events: ['file.created'] });
      await client().upload('news', { path: 'news.txt' });
      await expect.poll(() => receiver.received.length, { timeout: 20_000 }).toBe(1);
      const [request] = receiver.received;
      if (!request) throw new Error('nothing was received');
      const { text: body, headers } = request;
      const event = await verifyWebhook<{ path: string }>({ secret, body, headers });
      expect(event).toMatchObject({ type: 'file.created', data: { path: 'news.txt' } });
      expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual(event);
      const other = `whsec_${Buffer.from('another secret of 24 b!!').toString('base64')}`;
      await verifyWebhook({ secret: [other, secret], body, headers: new Headers(headers as Record<string, string>) });
      const refused = { code: 'signature_invalid' };
      await expect(verifyWebhook({ secret: other, body, headers })).rejects.toMatchObject(refused);
      await expect(verifyWebhook({ secret, body: `${body} `, headers })).rejects.toMatchObject(refused);
      await expect(verifyWebhook({ secret, body, headers: {} })).rejects.toMatchObject(refused);
      const now = Number(headers['webhook-timestamp']) + 301;
      await expect(verifyWebhook({ secret, body, headers, now })).rejects.toMatchObject(refused);
    } finally {
      await receiver.close();
    }
  });

  it('agrees with standardwebhooks on what that library signs', async () => {
    const secret = `whsec_${Buffer.from('a secret of 24 bytes ok!').toString('base64')}`;
    const body = '{"type":"file.created","timestamp":"2026-01-31T12:00:00.000Z","data":{"ü":"€"}}';
    const at = new Date(1_800_000_000_000);
    const headers = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': '1800000000',
      'webhook-signature': new Webhook(secret).sign('msg_1', at, body),
    };
    expect(await verifyWebhook({ secret, body, headers, now: 1_800_000_299 })).toMatchObject({ data: { ü: '€' } });
  });
});

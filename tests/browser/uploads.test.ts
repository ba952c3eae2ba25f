import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import { type Server, startServer } from '../support/server.ts';
import { type AppBackend, startAppBackend } from './app-backend.ts';
import { type Browser, findChromium, startBrowser } from './chromium.ts';

const MIB = 1024 * 1024;

interface Outcome {
  ok: boolean;
  fileId: string | null;
  progress: number[];
  error?: string;
}

/** As `content` of page/uploads.ts. */
function content(size: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let state = seed >>> 0;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

describe.skipIf(!findChromium())('uploads from a real browser (Debian: apt-get install chromium)', () => {
  let proxy: CuttingProxy;
  let server: Server;
  let backend: AppBackend;
  let browser: Browser;

  beforeAll(async () => {
    proxy = await startCuttingProxy();
    server = await startServer({ env: { CARCOSA_PUBLIC_URL: proxy.url } });
    proxy.target(server.directUrl);
    backend = await startAppBackend(proxy.url, server.apiKey);
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await backend?.close();
    await server?.stop();
    await proxy?.close();
  });

  async function inPage(call: string, ...args: unknown[]): Promise<Outcome> {
    const page = await browser.newPage();
    try {
      await page.goto(backend.url);
      const expression = `window.${call}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
      return (await page.evaluate(expression)) as Outcome;
    } finally {
      await page.close();
    }
  }

  async function expectStored(outcome: Outcome, bytes: Buffer): Promise<void> {
    expect(outcome).toMatchObject({ ok: true });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const answer = await server.request(`/api/v1/files/${outcome.fileId}`, { headers: { 'x-api-key': server.apiKey } });
    const { data } = (await answer.json()) as { data: { sha256: string; size: number; key: string } };
    expect(data).toMatchObject({ size: bytes.length, sha256 });
    const download = await server.request(`/f/${data.key}`);
    expect(Buffer.from(await download.arrayBuffer()).equals(bytes)).toBe(true);
  }

  const endpoint = () => `${proxy.url}/api/v1/tus`;

  it('by Uppy and its tus plug-in', async () => {
    const outcome = await inPage('uppyTus', endpoint(), server.apiKey, 5 * MIB + 7, 1);
    await expectStored(outcome, content(5 * MIB + 7, 1));
  });

  it('by Uppy and its tus plug-in, over a connection that breaks again and again', async () => {
    const cuts = [1.3, 2.9, 1.1].map((mib) => Math.round(mib * MIB));
    const before = proxy.cuts;
    const cutting = (async () => {
      for (const bytes of cuts) {
        const at = proxy.cuts;
        proxy.cutAfter(bytes);
        await expect.poll(() => proxy.cuts, { timeout: 30_000 }).toBeGreaterThan(at);
      }
    })();
    const outcome = await inPage('uppyTus', endpoint(), server.apiKey, 9 * MIB + 11, 2);
    await cutting;
    expect(proxy.cuts - before).toBe(3);
    await expectStored(outcome, content(9 * MIB + 11, 2));
  });

  it('by tus-js-client, continued by a second instance that the browser reminds of the first', async () => {
    const outcome = await inPage('tusTwice', endpoint(), server.apiKey, 6 * MIB + 1, 3, 3 * MIB);
    await expectStored(outcome, content(6 * MIB + 1, 3));
  });

  it('by Uppy and its S3 plug-in, in one signed PUT', async () => {
    const outcome = await inPage('uppyS3', 3 * MIB + 5, 4);
    await expectStored(outcome, content(3 * MIB + 5, 4));
  });

  it('by Uppy and its S3 plug-in, in parts', async () => {
    const outcome = await inPage('uppyS3', 35 * MIB + 3, 5);
    await expectStored(outcome, content(35 * MIB + 3, 5));
  });

  it('by Uppy and its S3 plug-in, in parts that are cut off on the way', async () => {
    proxy.cutAfter(7 * MIB);
    const before = proxy.cuts;
    const outcome = await inPage('uppyS3', 20 * MIB, 6);
    expect(proxy.cuts - before).toBe(1);
    await expectStored(outcome, content(20 * MIB, 6));
  });
});

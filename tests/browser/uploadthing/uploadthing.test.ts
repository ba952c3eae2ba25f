import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CuttingProxy, startCuttingProxy } from '../../support/cutting-proxy.ts';
import { type Server, startServer } from '../../support/server.ts';
import { type Browser, findChromium, startBrowser } from '../chromium.ts';

const MIB = 1024 * 1024;

interface File {
  key: string;
  name: string;
  size: number;
  ufsUrl: string;
  fileHash: string;
  serverData: unknown;
}
interface Outcome {
  files: File[];
  error?: string;
  progress: number[];
}

/** As `content` of page.tsx. */
function content(size: number, seed = size): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let state = seed >>> 0;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');

let directory: string;
let proxy: CuttingProxy;
let server: Server;
let browser: Browser;
const apps: ChildProcess[] = [];

beforeAll(async () => {
  if (!findChromium()) return;
  directory = await mkdtemp(join(tmpdir(), 'carcosa-uploadthing-'));
  await build({
    entryPoints: [fileURLToPath(new URL('./page.tsx', import.meta.url))],
    ...{ bundle: true, jsx: 'automatic', format: 'iife', outfile: join(directory, 'page.js'), logLevel: 'error' },
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  proxy = await startCuttingProxy();
  server = await startServer({
    env: { CARCOSA_PUBLIC_URL: proxy.url, CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8,::1/128' },
  });
  proxy.target(server.directUrl);
  browser = await startBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  for (const app of apps) app.kill('SIGKILL');
  await server?.stop();
  await proxy?.close();
  if (directory) await rm(directory, { recursive: true, force: true });
});

/** Starts the app in a mode; the environment is all that says where its files go. */
async function startApp(mode: 'development' | 'production'): Promise<string> {
  const { uploadthingToken } = JSON.parse(await readFile(join(server.dataDir, 'local.json'), 'utf8')) as {
    uploadthingToken: string;
  };
  const host = `localhost:${new URL(proxy.url).port}`;
  const app = spawn(process.execPath, [fileURLToPath(new URL('./app.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      ...{ NODE_ENV: mode, APP_PAGE: join(directory, 'page.js') },
      UPLOADTHING_TOKEN: uploadthingToken,
      UPLOADTHING_API_URL: `http://${host}/uploadthing`,
      UPLOADTHING_INGEST_URL: `http://${host}/uploadthing/ingest`,
      UPLOADTHING_UFS_HOST: host,
      UPLOADTHING_UFS_APP_ID_LOCATION: 'path',
    },
  });
  apps.push(app);
  for await (const line of createInterface({ input: app.stdout as Readable })) return line;
  throw new Error('the app ended before it listened');
}

describe.skipIf(!findChromium())('an app of UploadThing, unchanged but for its environment', () => {
  describe.each(['production', 'development'] as const)('in %s', (mode) => {
    let app: string;
    beforeAll(async () => {
      app = await startApp(mode);
    }, 60_000);

    async function inPage<Result = Outcome>(call: string, ...args: unknown[]): Promise<Result> {
      const page = await browser.newPage();
      try {
        await page.goto(app);
        await page.waitForFunction('window.send !== undefined', undefined, { timeout: 10_000 });
        return (await page.evaluate(`window.${call}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`)) as Result;
      } finally {
        await page.close();
      }
    }
    const happened = async () =>
      (await (await fetch(`${app}/happened`)).json()) as {
        hook: string;
        metadata: object;
        file: File;
        error?: string;
      }[];

    it('uploads with progress, and gets what onUploadComplete returned', async () => {
      const size = 3 * MIB + 11;
      const { files, progress, error } = await inPage('send', size, 'cassilda', 'holiday');
      const hash = md5(content(size));
      expect(error).toBe('');
      expect(files).toHaveLength(1);
      const [file] = files as [File];
      expect(file).toMatchObject({ size, fileHash: hash, name: `Bild ${size} – ä.bin` });
      expect(file.serverData).toEqual({ uploadedBy: 'cassilda', album: 'holiday', hash });
      expect(progress.at(-1)).toBe(100);
      const stored = Buffer.from(await (await fetch(file.ufsUrl)).arrayBuffer());
      expect(md5(stored)).toBe(hash);
      const told = (await happened()).find(({ file: { key } }) => key === file.key);
      expect(told).toMatchObject({ hook: 'callback', metadata: { userId: 'cassilda', album: 'holiday' } });
    });

    it('is stopped by its middleware, in words', async () => {
      const { error } = await inPage('send', 100, null, 'x');
      expect(error).toContain('You are not logged in');
    });

    it('pauses and resumes where it was', async () => {
      const size = 12 * MIB;
      const { files, progress } = await inPage('sendWithPause', size);
      expect(files[0]).toMatchObject({ size, fileHash: md5(content(size)), serverData: { album: 'paused' } });
      expect(progress.at(-1)).toBe(100);
    });

    it('goes on after a connection that broke', async () => {
      const size = 9 * MIB;
      const page = await browser.newPage();
      try {
        await page.goto(app);
        await page.waitForFunction('window.send !== undefined', undefined, { timeout: 10_000 });
        const before = proxy.cuts;
        proxy.cutAfter(4 * MIB);
        // Some browsers begin the request anew by themselves, before the page learns of it.
        await page.evaluate(`window.sendBroken(${size})`);
        expect(proxy.cuts).toBeGreaterThan(before);
        const hash = md5(content(size));
        await expect
          .poll(async () => (await happened()).some(({ file }) => file?.fileHash === hash), { timeout: 30_000 })
          .toBe(true);
      } finally {
        await page.close();
      }
    });

    it('has its button', async () => {
      const page = await browser.newPage();
      try {
        await page.goto(app);
        const input = page.locator('input[type=file]');
        await input.waitFor({ state: 'attached' });
        await page.waitForFunction("!document.querySelector('input[type=file]').disabled");
        await input.setInputFiles({ name: 'small.bin', mimeType: 'application/x-thing', buffer: Buffer.from('small') });
        await page.waitForFunction("document.getElementById('said').textContent !== ''", undefined, {
          timeout: 30_000,
        });
        expect(await page.textContent('#said')).toBe('done small.bin by button');
      } finally {
        await page.close();
      }
    });
  });

  describe('UTApi', () => {
    let app: string;
    beforeAll(async () => {
      app = await startApp('production');
    }, 60_000);
    const call = async <Result>(method: string, ...args: unknown[]): Promise<Result> => {
      const response = await fetch(`${app}/utapi/${method}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(args),
      });
      const { result, error } = (await response.json()) as { result: Result; error?: string };
      expect(error, method).toBeUndefined();
      return result;
    };
    type Uploaded = { data: { key: string; ufsUrl: string; fileHash: string; customId: string | null } };

    it('does all that it can', async () => {
      const { data: one } = await call<Uploaded>('uploadFiles', {
        upload: { name: 'one.txt', content: 'one', customId: 'own-1' },
      });
      expect(one).toMatchObject({ customId: 'own-1', fileHash: md5(Buffer.from('one')) });
      expect(await (await fetch(one.ufsUrl)).text()).toBe('one');
      const { data: two } = await call<Uploaded>('uploadFilesFromUrl', {
        url: one.ufsUrl,
        name: 'two.txt',
        customId: 'own-2',
      });

      const { files } = await call<{ files: { key: string; name: string; status: string; customId: string }[] }>(
        'listFiles',
        { limit: 500 },
      );
      expect(files).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ key: one.key, name: 'one.txt', status: 'Uploaded', customId: 'own-1', size: 3 }),
          expect.objectContaining({ key: two.key, name: 'two.txt', customId: 'own-2' }),
        ]),
      );
      const page = await call<{ hasMore: boolean; files: { key: string }[] }>('listFiles', { limit: 1, offset: 1 });
      expect([page.hasMore, page.files.map(({ key }) => key)]).toEqual([files.length > 2, [files[1]?.key]]);

      expect(await call('getFileUrls', 'own-1', { keyType: 'customId' })).toEqual({
        data: [{ key: one.key, url: one.ufsUrl }],
      });
      expect(
        await call('renameFiles', [
          { fileKey: one.key, newName: 'eins.txt' },
          { customId: 'own-2', newCustomId: 'own-3' },
        ]),
      ).toEqual({ success: true });
      const renamed = await call<{ files: { key: string; name: string; customId: string }[] }>('listFiles');
      expect(renamed.files.find(({ key }) => key === one.key)?.name).toBe('eins.txt');
      expect(renamed.files.find(({ key }) => key === two.key)?.customId).toBe('own-3');

      expect(await call('updateACL', one.key, 'private')).toEqual({ success: true });
      expect((await fetch(one.ufsUrl)).status).toBe(403);
      const { ufsUrl } = await call<{ ufsUrl: string }>('generateSignedURL', one.key, { expiresIn: '1 minute' });
      expect(await (await fetch(ufsUrl)).text()).toBe('one');
      const asked = await call<{ url: string }>('getSignedURL', 'own-1', { keyType: 'customId', expiresIn: 60 });
      expect(await (await fetch(asked.url)).text()).toBe('one');

      const usage = await call<Record<string, number>>('getUsageInfo');
      expect(usage.filesUploaded).toBe(files.length);
      expect(usage.appTotalBytes).toBeGreaterThan(0);

      expect(await call('deleteFiles', [one.key])).toEqual({ success: true, deletedCount: 1 });
      expect(await call('deleteFiles', 'own-3', { keyType: 'customId' })).toEqual({ success: true, deletedCount: 1 });
      expect((await fetch(two.ufsUrl)).status).toBe(404);
      expect(await call('deleteFiles', one.key)).toEqual({ success: true, deletedCount: 0 });
    });

    it('uploads private files', async () => {
      const { data } = await call<Uploaded>(
        'uploadFiles',
        { upload: { name: 's.txt', content: 'secret' } },
        { acl: 'private' },
      );
      expect((await fetch(data.ufsUrl)).status).toBe(403);
      const { ufsUrl } = await call<{ ufsUrl: string }>('generateSignedURL', data.key);
      expect(await (await fetch(ufsUrl)).text()).toBe('secret');
    });
  });
});

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createCarcosa } from '@carcosa/sdk/node';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CuttingProxy, startCuttingProxy } from '../../support/cutting-proxy.ts';
import { type Server, startServer } from '../../support/server.ts';
import { newKey, signUpload } from '../../support/uploadthing.ts';
import { type Browser, findChromium, startBrowser } from '../chromium.ts';
import { type ReactApp, startReactApp } from './app.ts';

const MIB = 1024 * 1024;

describe.skipIf(!findChromium())('@carcosa/react in a real browser (Debian: apt-get install chromium)', () => {
  let proxy: CuttingProxy;
  let server: Server;
  let app: ReactApp;
  let browser: Browser;
  let home: string;

  beforeAll(async () => {
    proxy = await startCuttingProxy();
    server = await startServer({ env: { CARCOSA_PUBLIC_URL: proxy.url } });
    proxy.target(server.directUrl);
    app = await startReactApp();
    browser = await startBrowser();
    home = await mkdtemp(path.join(tmpdir(), 'carcosa-react-'));
  });
  afterAll(async () => {
    await browser?.close();
    await app?.close();
    await server?.stop();
    await proxy?.close();
    if (home) await rm(home, { recursive: true });
  });

  const client = () => createCarcosa({ url: proxy.url, apiKey: server.apiKey });

  async function onDisk(name: string, content: string | Buffer): Promise<string> {
    const file = path.join(home, name);
    await writeFile(file, content);
    return file;
  }

  async function withPage(query: Record<string, string>, work: (page: Page) => Promise<void>): Promise<void> {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      if (/warning|each child|act\(/i.test(message.text())) faults.push(message.text());
    });
    try {
      const all = { url: proxy.url, key: server.apiKey, project: server.projectId, ...query };
      await page.goto(`${app.url}/?${new URLSearchParams(all)}`);
      await work(page);
      expect(faults).toEqual([]);
      // Set to see what people see.
      const { CARCOSA_SCREENSHOTS: folder } = process.env;
      if (folder)
        await page.screenshot({ path: path.join(folder, `${Object.values(query).join('-') || 'plain'}.png`) });
    } finally {
      await page.close();
    }
  }

  /** Presses Tab until something with that name has the focus. */
  async function tabTo(page: Page, name: RegExp): Promise<void> {
    for (let presses = 0; presses < 20; presses++) {
      await page.keyboard.press('Tab');
      const focused = await page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      );
      if (name.test(focused)) return;
    }
    throw new Error(`Tab does not reach ${name}`);
  }

  it('uploads what is chosen by keyboard alone, and says so', async () => {
    const files = [await onDisk('one.txt', 'one'), await onDisk('two.txt', 'two')];
    await withPage({}, async (page) => {
      await tabTo(page, /Choose files/);
      const chooser = page.waitForEvent('filechooser');
      await page.keyboard.press('Enter');
      await (await chooser).setFiles(files);
      await page.locator('.carcosa-item[data-state=completed]').nth(1).waitFor();
      expect(await page.locator('.carcosa-dropzone').getAttribute('data-state')).toBe('completed');
      await expect.poll(() => page.locator('#all').textContent()).toBe('2');
      expect(await page.getByRole('status').first().textContent()).toContain('Done: two.txt');
      await tabTo(page, /Remove from list: one\.txt/);
      await page.keyboard.press('Space');
      await expect.poll(() => page.locator('.carcosa-item').count()).toBe(1);
      expect(await page.evaluate(() => document.activeElement?.className)).toContain('carcosa-list');
    });
    expect(await (await client().files.download((await client().files.find('drop/two.txt'))?.id ?? '')).text()).toBe(
      'two',
    );
  });

  it('takes what is dropped, and shows pictures', async () => {
    const png = await sharp({ create: { width: 30, height: 30, channels: 3, background: 'tomato' } })
      .png()
      .toBuffer();
    await withPage({ part: 'dropzone', drop: 'drop' }, async (page) => {
      const transfer = await page.evaluateHandle((bytes) => {
        const data = new DataTransfer();
        data.items.add(
          new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], 'tomato.png', { type: 'image/png' }),
        );
        return data;
      }, png.toString('base64'));
      const zone = page.locator('.carcosa-dropzone');
      await zone.dispatchEvent('dragover', { dataTransfer: transfer });
      expect(await zone.getAttribute('data-state')).toBe('dragging');
      await zone.dispatchEvent('drop', { dataTransfer: transfer });
      await page.locator('.carcosa-item[data-state=completed]').waitFor();
      expect(await page.locator('.carcosa-thumbnail img').getAttribute('src')).toMatch(/^blob:/);
    });
    expect(await client().files.find('drop/tomato.png')).toMatchObject({ contentType: 'image/png' });
  });

  it('takes folders, each file to its place', async () => {
    const folder = path.join(home, 'album');
    await mkdir(path.join(folder, 'deep'), { recursive: true });
    await writeFile(path.join(folder, 'a.txt'), 'a');
    await writeFile(path.join(folder, 'deep', 'b.txt'), 'b');
    await withPage({ part: 'dropzone', folders: 'folders' }, async (page) => {
      await page.locator('input[type=file]').setInputFiles(folder);
      await page.locator('.carcosa-item[data-state=completed]').nth(1).waitFor();
    });
    const files = await client().files.list({ folder: 'drop/album', recursive: true, sort: 'path' }).toArray();
    expect(files.map((file) => file.path)).toEqual(['drop/album/a.txt', 'drop/album/deep/b.txt']);
  });

  it('takes what is pasted while the focus is in it', async () => {
    await withPage({ part: 'dropzone', paste: 'paste' }, async (page) => {
      await page.locator('.carcosa-choose').focus();
      await page.evaluate(() => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File(['pasted'], 'pasted.txt', { type: 'text/plain' }));
        document.activeElement?.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
      });
      await page.locator('.carcosa-item[data-state=completed]').waitFor();
    });
    expect(await client().files.find('drop/pasted.txt')).toMatchObject({ size: 6 });
  });

  it('pauses, goes on and cancels by keyboard, with progress for eyes and ears', async () => {
    const large = await onDisk('large.bin', randomBytes(40 * MIB));
    await withPage({ part: 'dropzone', large: 'large' }, async (page) => {
      proxy.holdAfter(20 * MIB);
      await page.locator('input[type=file]').setInputFiles(large);
      const bar = page.getByRole('progressbar', { name: 'large.bin' });
      await expect
        .poll(async () => Number(await bar.getAttribute('aria-valuenow')), { timeout: 20_000 })
        .toBeGreaterThan(30);
      expect(await page.locator('.carcosa-detail').textContent()).toMatch(/MB \/ 41\.9 MB/);
      await tabTo(page, /Pause: large\.bin/);
      await page.keyboard.press('Enter');
      await page.locator('.carcosa-item[data-state=paused]').waitFor();
      proxy.release();
      await tabTo(page, /Resume: large\.bin/);
      await page.keyboard.press('Enter');
      await page.locator('.carcosa-item[data-state=completed]').waitFor();
    });
    expect(await client().files.find('drop/large.bin')).toMatchObject({ size: 40 * MIB, version: 1 });
  });

  it('leaves nothing behind when a person cancels', async () => {
    const large = await onDisk('unwanted.bin', randomBytes(40 * MIB));
    await withPage({ part: 'dropzone', cancel: 'cancel' }, async (page) => {
      proxy.holdAfter(20 * MIB);
      await page.locator('input[type=file]').setInputFiles(large);
      await expect
        .poll(async () => (await client().listUnfinishedUploads().toArray()).length, { timeout: 20_000 })
        .toBe(1);
      proxy.release();
      await page.getByRole('button', { name: 'Cancel: unwanted.bin' }).click();
      await expect.poll(() => page.locator('.carcosa-item').count()).toBe(0);
      await expect.poll(async () => (await client().listUnfinishedUploads().toArray()).length).toBe(0);
    });
  });

  it('continues after the page was left, with the same file', async () => {
    const large = await onDisk('left.bin', randomBytes(40 * MIB));
    await withPage({ part: 'dropzone', left: 'left' }, async (page) => {
      proxy.holdAfter(36 * MIB);
      await page.locator('input[type=file]').setInputFiles(large);
      const bar = page.getByRole('progressbar', { name: 'left.bin' });
      await expect
        .poll(async () => Number(await bar.getAttribute('aria-valuenow')), { timeout: 20_000 })
        .toBeGreaterThan(80);
    });
    proxy.release();
    const [session] = await client().listUnfinishedUploads().toArray();
    await withPage({ part: 'unfinished' }, async (page) => {
      await page.getByLabel('continue drop/left.bin').setInputFiles(large);
      await expect.poll(() => page.locator('#unfinished li').count(), { timeout: 30_000 }).toBe(0);
    });
    expect(await client().uploads.get(session?.id ?? '')).toMatchObject({ status: 'completed', path: 'drop/left.bin' });
  });

  it('says in words what went wrong, and tries again', async () => {
    const text = await onDisk('refused.txt', 'text');
    const allowed = (allowedTypes: string[] | null) =>
      client().projects.update(server.projectId, { settings: { allowedTypes } });
    await allowed(['image/*']);
    try {
      await withPage({ part: 'dropzone', failed: 'failed' }, async (page) => {
        await page.locator('input[type=file]').setInputFiles(text);
        const alert = page.getByRole('alert');
        await alert.waitFor();
        expect(await alert.textContent()).toMatch(/type/);
        await allowed(null);
        await page.getByRole('button', { name: 'Try again: refused.txt' }).click();
        await page.locator('.carcosa-item[data-state=completed]').waitFor();
      });
    } finally {
      await allowed(null);
    }
  });

  it('is a button alone, which takes what it is for', async () => {
    const text = await onDisk('button.txt', 'x');
    await withPage({ part: 'button' }, async (page) => {
      expect(await page.locator('input[type=file]').getAttribute('accept')).toBe('text/*');
      await page.locator('input[type=file]').setInputFiles(text);
      await page.locator('.carcosa-button[data-state=completed]').waitFor();
    });
    expect(await client().files.find('button/button.txt')).not.toBeNull();
  });

  it('speaks other languages, from right to left too', async () => {
    const text = await onDisk('ü.txt', 'x');
    await withPage({ part: 'dropzone', german: '', rtl: 'rtl' }, async (page) => {
      await page.getByRole('button', { name: 'Dateien wählen' }).waitFor();
      await page.locator('input[type=file]').setInputFiles(text);
      await page.getByRole('button', { name: 'ü.txt: Remove from list' }).waitFor();
      const [name, actions] = await Promise.all(
        ['.carcosa-name', '.carcosa-actions'].map(async (each) => (await page.locator(each).boundingBox())?.x ?? 0),
      );
      expect(name).toBeGreaterThan(actions ?? 0);
    });
  });

  it('asks a route of the backend with its input, and tells what that said', async () => {
    const picture = await onDisk(
      'me.png',
      await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
        .png()
        .toBuffer(),
    );
    app.sign = () => ({ message: 'Log in first.' });
    await withPage({ part: 'route' }, async (page) => {
      await expect.poll(() => page.locator('input[type=file]').getAttribute('accept')).toBe('image/*');
      expect(await page.locator('input[type=file]').getAttribute('multiple')).toBeNull();
      await page.locator('input[type=file]').setInputFiles(picture);
      await page.getByRole('alert').waitFor();
      expect(await page.getByRole('alert').textContent()).toBe('Log in first.');
    });
    // Nobody waits for what a backend says that was not announced.
    app.sign = (files) =>
      files.map((file) => ({ ...signUpload(server, { ...file, key: newKey() }), name: file.name, customId: null }));
    await withPage({ part: 'route', stored: 'stored' }, async (page) => {
      await page.locator('input[type=file]').setInputFiles(picture);
      await page.locator('.carcosa-item[data-state=completed]').waitFor();
      expect(await page.locator('#by').textContent()).toBe('stored');
    });
    expect(await client().files.list({ q: 'me.png' }).toArray(1)).toMatchObject([{ contentType: 'image/png' }]);
    expect(app.asked.at(-1)).toMatchObject({
      slug: 'avatar',
      body: { files: [{ name: 'me.png', type: 'image/png' }], input: { album: 'a' } },
    });
  });

  it('uploads one at a time with useUpload, and reads files with useFile', async () => {
    const text = await onDisk('single.txt', 'single');
    const file = await client().upload('shown', { path: 'shown.txt' });
    await withPage({ part: 'single', id: file.id }, async (page) => {
      await page.locator('#shown', { hasText: 'shown.txt' }).waitFor();
      await page.getByLabel('single').setInputFiles(text);
      await page.locator('#single[data-state=completed]', { hasText: '6 single.bin' }).waitFor();
    });
    await withPage({ part: 'single', id: 'file_none' }, async (page) => {
      await page.locator('#shown', { hasText: 'not_found' }).waitFor();
    });
  });

  it('shows pictures in the size and format that suit, and videos', async () => {
    const png = await sharp({ create: { width: 800, height: 400, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    await client().upload(new Uint8Array(png), { path: 'picture.png', visibility: 'public' });
    await withPage({ part: 'picture' }, async (page) => {
      const [fixed, fluid] = [page.locator('img').nth(0), page.locator('img').nth(1)];
      await page.locator('img[data-state=loaded]').nth(1).waitFor();
      expect(await fixed.evaluate((image: HTMLImageElement) => [image.naturalWidth, image.naturalHeight])).toEqual([
        200, 100,
      ]);
      expect(await fixed.getAttribute('srcset')).toMatch(
        /f_auto,h_100,w_200\/picture\.png 1x, .*f_auto,h_200,w_400\/picture\.png 2x/,
      );
      expect(await fixed.evaluate((image: HTMLImageElement) => image.style.backgroundImage)).toBe('');
      expect(await fluid.getAttribute('srcset')).toMatch(/w_100\/picture\.png 100w, .*w_200\/picture\.png 200w/);
      expect(await page.locator('video track').getAttribute('srclang')).toBe('en');
    });
  });
});

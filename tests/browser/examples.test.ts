import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Server, startServer } from '../support/server.ts';
import { type Browser, findChromium, startBrowser } from './chromium.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');

let server: Server;
let browser: Browser;
const children: ChildProcess[] = [];
/** What examples say when something is wrong. */
const complaints: string[] = [];

beforeAll(async () => {
  server = await startServer();
  if (findChromium()) browser = await startBrowser();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  for (const { pid } of children) {
    try {
      // npm and what it started.
      if (pid) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  await server?.stop();
});

/** `npm start` in the folder of an example. */
async function start(name: string, ...args: string[]): Promise<AsyncIterator<string>> {
  const local = JSON.parse(await readFile(join(server.dataDir, 'local.json'), 'utf8')) as { uploadthingToken: string };
  const child = spawn('npm', ['start', '--silent', '--', ...args], {
    cwd: join(EXAMPLES, name),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', NO_UPDATE_NOTIFIER: '1' },
      ...{ CARCOSA_URL: server.url, CARCOSA_API_KEY: server.apiKey, UPLOADTHING_TOKEN: local.uploadthingToken },
    },
  });
  children.push(child);
  child.stderr?.setEncoding('utf8').on('data', (text: string) => complaints.push(text));
  return createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
}

async function lineWith(lines: AsyncIterator<string>, text: string): Promise<string> {
  for (;;) {
    const { value, done } = await lines.next();
    if (done) throw new Error(`the example ended without saying "${text}": ${complaints.join('')}`);
    if (value.includes(text)) return value;
  }
}

async function inBrowser(lines: AsyncIterator<string>, work: (page: Page) => Promise<void>): Promise<void> {
  const url = (await lineWith(lines, 'Open http')).slice('Open '.length);
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  try {
    await page.goto(url);
    await work(page);
    expect(problems).toEqual([]);
  } finally {
    await page.close();
  }
}

const stored = async (sha256: string): Promise<boolean> => {
  const { data } = await server.api<{ items: { sha256: string | null }[] }>('GET', '/files', { query: { limit: 500 } });
  return data.items.some((file) => file.sha256 === sha256);
};
const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

describe('the example', () => {
  it('node-script uploads', async () => {
    const path = join(EXAMPLES, 'README.md');
    const content = await readFile(path);
    const line = await lineWith(await start('node-script', path), 'README.md');
    const url = line.split(' ').at(-1) ?? '';
    expect(sha256(new Uint8Array(await (await fetch(url)).arrayBuffer()))).toBe(sha256(content));
  });
});

describe.skipIf(!findChromium())('the example', () => {
  it('react-express uploads a picture and shows it', async () => {
    const content = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#246' } })
      .png()
      .toBuffer();
    await inBrowser(await start('react-express'), async (page) => {
      const input = page.locator('input[type=file]').first();
      await input.waitFor({ state: 'attached', timeout: 40_000 });
      await input.setInputFiles({ name: 'sea.png', mimeType: 'image/png', buffer: content });
      await page.waitForSelector('figcaption', { timeout: 20_000 });
      expect(await page.textContent('figcaption')).toBe('in holiday');
      await page.waitForFunction("document.querySelector('figure img').naturalWidth === 40");
    });
    expect(await stored(sha256(content))).toBe(true);
  }, 90_000);

  it('uppy uploads', async () => {
    const content = Buffer.from('by Uppy '.repeat(1000));
    await inBrowser(await start('uppy'), async (page) => {
      await page.waitForSelector('input:not([disabled])');
      await page.setInputFiles('input[type=file]', { name: 'a.txt', mimeType: 'text/plain', buffer: content });
      await page.waitForSelector('li', { timeout: 20_000 });
      expect(await page.textContent('li')).toBe('a.txt is stored');
    });
    expect(await stored(sha256(content))).toBe(true);
  }, 60_000);

  it('uploadthing uploads with the packages of UploadThing', async () => {
    const content = Buffer.from('by UploadThing '.repeat(1000));
    await inBrowser(await start('uploadthing'), async (page) => {
      const input = page.locator('input[type=file]');
      await input.waitFor({ state: 'attached', timeout: 20_000 });
      await page.waitForFunction("!document.querySelector('input[type=file]').disabled");
      await input.setInputFiles({ name: 'moved.txt', mimeType: 'text/plain', buffer: content });
      await page.waitForFunction("document.querySelector('output').textContent !== ''", undefined, { timeout: 30_000 });
      expect(await page.textContent('output')).toBe('moved.txt by somebody');
    });
    expect(await stored(sha256(content))).toBe(true);
  }, 60_000);
});

import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import { PASSWORD, type Person, register } from '../support/people.ts';
import { type Server, startServer } from '../support/server.ts';
import { type Browser, findChromium, startBrowser } from './chromium.ts';

interface Watching {
  ids: string[];
  resources: (string | null)[];
  connects: number;
}

describe.skipIf(!findChromium())('realtime in a real browser (Debian: apt-get install chromium)', () => {
  let proxy: CuttingProxy;
  let server: Server;
  let owner: Person;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    proxy = await startCuttingProxy();
    server = await startServer({ env: { CARCOSA_PUBLIC_URL: proxy.url } });
    proxy.target(server.directUrl);
    owner = await register(server);
    const { outputFiles } = await build({
      entryPoints: [new URL('./page/realtime.ts', import.meta.url).pathname],
      ...{ bundle: true, format: 'iife', write: false, logLevel: 'error' },
    });
    browser = await startBrowser();
    page = await browser.newPage();
    // A page of the server itself, where the cookie of a log-in serves.
    await page.goto(`${proxy.url}/auth/error`);
    await page.evaluate(outputFiles[0]?.text ?? '');
    await page.evaluate(`fetch('/api/v1/auth/login', {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: ${JSON.stringify(JSON.stringify({ email: owner.email, password: PASSWORD }))},
    }).then((answer) => answer.status)`);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    await proxy?.close();
  });

  const heard = async (by: 'socket' | 'source'): Promise<Watching> =>
    (await page.evaluate(`window.heard.${by}`)) as Watching;
  /** Past the network that fails. */
  async function upload(path: string): Promise<string> {
    const address = `${server.directUrl}/api/v1/files?path=${path}`;
    const answer = await fetch(address, { method: 'POST', headers: { 'x-api-key': server.apiKey }, body: path });
    return ((await answer.json()) as { data: { id: string } }).data.id;
  }

  it.each(['socket', 'source'] as const)(
    'a connection by %s that breaks comes back by itself, and misses nothing',
    async (by) => {
      const room = `project:${server.projectId}`;
      const watch =
        by === 'socket'
          ? `window.watchBySocket(${JSON.stringify(proxy.url)}, ${JSON.stringify(server.apiKey)}, ${JSON.stringify(room)})`
          : `window.watchByEventSource('/api/v1/events/stream?projectId=${server.projectId}')`;
      await page.evaluate(watch);
      const written: string[] = [];
      for (let round = 0; round < 4; round += 1) {
        written.push(await upload(`${by}/${round}-before.txt`));
        if (round > 0) await until(async () => (await heard(by)).connects > round - 1);
        proxy.cutAll();
        for (let at = 0; at < 5; at += 1) written.push(await upload(`${by}/${round}-${at}.txt`));
        await until(async () => (await heard(by)).connects > round + 1, { what: 'the page to connect again' });
      }
      await until(async () => (await heard(by)).resources.includes(written.at(-1) ?? ''), { what: 'the last event' });
      const told = await heard(by);
      expect(told.resources).toEqual(written);
      expect(new Set(told.ids).size).toBe(told.ids.length);
    },
  );

  it('a page of another site gets nothing by the cookie of its visitor', async () => {
    const other = await browser.newPage();
    // Another origin of the same site, as the browser sees it: such cookies it does send.
    const site = new URL(proxy.url);
    await other.goto(`http://127.0.0.1:${new URL(server.directUrl).port}/auth/error`);
    const outcome = await other.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket('ws://${site.host}/ws/operations/upl_x');
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    })`);
    expect(outcome).toBe('refused');
    const status = await other.evaluate(
      `fetch('${proxy.url}/api/v1/events/stream?projectId=${server.projectId}', { credentials: 'include' }).then(() => 'read', () => 'refused')`,
    );
    expect(status).toBe('refused');
    await other.close();
  });
});

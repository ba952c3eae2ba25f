import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRouteHandler, createUploadRouter, FILES, f, type RouteHandler, UploadError } from '@carcosa/file-router';
import { createRouteHandler as expressHandler } from '@carcosa/file-router/express';
import { uploadRoutes } from '@carcosa/file-router/fastify';
import { createEventHandler } from '@carcosa/file-router/h3';
import { createRouteHandler as honoHandler } from '@carcosa/file-router/hono';
import { createRouteHandler as nextHandler } from '@carcosa/file-router/next';
import { createRouteHandler as pagesHandler } from '@carcosa/file-router/next-pages';
import { createRouteHandler as remixHandler } from '@carcosa/file-router/remix';
import { createRouteHandler as svelteHandler } from '@carcosa/file-router/sveltekit';
import { createFetch } from '@carcosa/file-router/workers';
import { type } from 'arktype';
import express from 'express';
import { Hono } from 'hono';
import sharp from 'sharp';
import * as v from 'valibot';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Server, startServer } from '../../support/server.ts';
import { putFile } from '../../support/uploadthing.ts';

interface Prepared {
  url: string;
  key: string;
  name: string;
  customId: string | null;
}
type Told = {
  hook: string;
  metadata?: unknown;
  file?: { key: string; name: string };
  error?: string;
  callbackId?: string | null;
};

let server: Server;
const told: Told[] = [];
let failing = 0;

const router = createUploadRouter({
  avatar: f(
    { image: { maxFileSize: '1MB', maxFileCount: 2, minWidth: 10, maxWidth: 100, maxHeight: 50 } },
    { path: 'avatars/{metadata.userId}.{extension}', visibility: 'public' },
  )
    .input(z.object({ album: z.string().min(2) }))
    .middleware(({ request, input, files }) => {
      const userId = request.headers.get('x-user');
      if (!userId) throw new UploadError('Log in first.', { code: 'not_logged_in', status: 401 });
      return { userId, album: input.album, at: new Date(0), [FILES]: files.map(() => ({ name: 'avatar.png' })) };
    })
    .onUploadError(({ error, fileKey }) => {
      told.push({ hook: 'error', error: `${error.code} ${fileKey === null ? 'before' : 'after'}: ${error.message}` });
    })
    .onUploadComplete(({ metadata, file, callbackId }) => {
      if (failing > 0) {
        failing -= 1;
        throw new Error('the database is down');
      }
      told.push({ hook: 'callback', metadata, file, callbackId });
      return { by: metadata.userId, size: file.size };
    }),
  documents: f(
    { 'application/pdf': { maxFileSize: '10KB' }, text: { minFileSize: 3, maxFileCount: 5 } },
    { visibility: 'private', awaitServerData: false },
  )
    .input(v.object({ tags: v.array(v.string()) }))
    .middleware(({ input }) => ({ tags: input.tags }))
    .onUploadComplete(({ metadata, file }) => {
      told.push({ hook: 'callback', metadata, file });
    }),
  any: f({ blob: {} })
    .input(type({ 'title?': 'string' }))
    .onUploadComplete(({ file }) => file.name),
});

/** A back end that answers by `handle`, on a port of this machine. */
async function listen(handle: (url: string) => Parameters<typeof createServer>[1]): Promise<string> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/api/upload`;
  listener.on('request', handle(url) as () => void);
  closers.push(() => {
    listener.closeAllConnections();
    listener.close();
  });
  return url;
}
const closers: (() => void | Promise<void>)[] = [];
const config = () => ({ router, url: server.url, apiKey: server.apiKey });
/** Node's server in front of a handler of Request and Response. */
const serving =
  (handle: RouteHandler) =>
  (url: string): Parameters<typeof createServer>[1] =>
    expressLike(handle, url);
function expressLike(handle: RouteHandler, url: string): Parameters<typeof createServer>[1] {
  return (incoming, outgoing) => {
    void incoming
      .setEncoding('utf8')
      .toArray()
      .then(async (chunks) => {
        const { method = 'GET' } = incoming;
        const body = method === 'GET' ? {} : { body: chunks.join('') };
        const headers = incoming.headers as Record<string, string>;
        const answer = await handle(new Request(new URL(incoming.url ?? '/', url), { method, headers, ...body }));
        outgoing.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
      });
  };
}

let app: string;
beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.0/8' } });
  app = await listen((url) => expressLike(createRouteHandler({ ...config(), onError: () => {} }), url));
});
afterAll(async () => {
  for (const close of closers) await close();
  await server.stop();
});
beforeEach(() => {
  told.length = 0;
  failing = 0;
});

async function ask<Body>(
  at: string,
  slug: string,
  body: unknown,
  headers: Record<string, string> = { 'x-user': 'u1' },
) {
  const response = await fetch(`${at}?actionType=upload&slug=${slug}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Body };
}
const refused = async (slug: string, body: unknown, headers?: Record<string, string>) => {
  const { status, body: answer } = await ask<{ error: string; message: string }>(app, slug, body, headers);
  expect(answer.message).toMatch(/\w{3}/);
  return [status, answer.error, answer.message];
};
const picture = (width: number, height: number): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background: '#c33' } })
    .png()
    .toBuffer();
const image = (content: Buffer, name = 'me.png') => ({
  name,
  size: content.length,
  type: 'image/png',
  lastModified: 5,
});

describe('a route', () => {
  it('says what it takes', async () => {
    const answer = await (await fetch(app)).json();
    expect(answer).toContainEqual({
      slug: 'avatar',
      config: { image: { maxFileSize: 1_000_000, maxFileCount: 2, minWidth: 10, maxWidth: 100, maxHeight: 50 } },
    });
  });

  it('takes a file from end to end', async () => {
    const content = await picture(20, 20);
    const { status, body } = await ask<Prepared[]>(app, 'avatar', { files: [image(content)], input: { album: 'me' } });
    expect(status).toBe(200);
    const [prepared] = body as [Prepared];
    expect(prepared.name).toBe('avatar.png');
    const stored = await putFile(prepared.url, content, { type: 'image/png' });
    expect(stored).toMatchObject({ status: 200, body: { serverData: { by: 'u1', size: content.length } } });
    expect(Buffer.from(await (await fetch(stored.body.url)).arrayBuffer()).equals(content)).toBe(true);
    expect(told).toEqual([
      {
        hook: 'callback',
        metadata: { userId: 'u1', album: 'me', at: '1970-01-01T00:00:00.000Z' },
        file: expect.objectContaining({ name: 'avatar.png', lastModified: 5 }),
        callbackId: expect.stringMatching(/^cbk_/),
      },
    ]);
    const { data } = await server.api<{ items: { path: string }[] }>('GET', '/files', { query: { search: 'u1.png' } });
    expect(data.items.map(({ path }) => path)).toContain('avatars/u1.png');
  });

  it('replaces what lies at its path', async () => {
    const urls: string[] = [];
    for (const width of [30, 40]) {
      const content = await picture(width, 20);
      const { body } = await ask<Prepared[]>(
        app,
        'avatar',
        { files: [image(content)], input: { album: 'me' } },
        { 'x-user': 'u2' },
      );
      const stored = await putFile((body[0] as Prepared).url, content);
      expect(stored.body.serverData).toMatchObject({ by: 'u2' });
      urls.push(stored.body.url);
    }
    expect(urls[0]).toBe(urls[1]);
  });

  it('is held to its measures and types by the server, from the bytes', async () => {
    for (const [content, code] of [
      [await picture(5, 20), 'file_measures_not_allowed'],
      [await picture(101, 20), 'file_measures_not_allowed'],
      [await picture(20, 51), 'file_measures_not_allowed'],
      [Buffer.from('<html><script></script></html>'), 'file_type_not_allowed'],
    ] as const) {
      const { body } = await ask<Prepared[]>(app, 'avatar', { files: [image(content)], input: { album: 'me' } });
      expect((await putFile((body[0] as Prepared).url, content)).body.error).toBe(code);
    }
    await expect.poll(() => told.filter(({ hook }) => hook === 'error')).toHaveLength(4);
    expect(told[0]?.error).toMatch(/^upload_failed after: The picture is 5 x 20 pixels/);
  });

  it('refuses in words', async () => {
    const content = await picture(20, 20);
    const input = { album: 'me' };
    expect(await refused('avatar', { files: [image(content)], input }, {})).toEqual([
      401,
      'not_logged_in',
      'Log in first.',
    ]);
    expect(told).toEqual([{ hook: 'error', error: 'not_logged_in before: Log in first.' }]);
    expect(await refused('avatar', { files: [image(content)], input: { album: 'm' } })).toEqual([
      400,
      'invalid_request',
      expect.stringContaining('album'),
    ]);
    expect(await refused('avatar', { files: [{ ...image(content), size: 1_000_001 }], input })).toEqual([
      413,
      'file_too_large',
      '"me.png" has 1 MB; at most 1 MB may be uploaded.',
    ]);
    expect((await refused('avatar', { files: [{ ...image(content), type: 'text/html' }], input })).slice(0, 2)).toEqual(
      [415, 'file_type_not_allowed'],
    );
    expect((await refused('avatar', { files: Array(3).fill(image(content)), input })).slice(0, 2)).toEqual([
      400,
      'too_many_files',
    ]);
    expect((await refused('avatar', { files: [{ ...image(content), size: 0 }], input })).slice(0, 2)).toEqual([
      400,
      'file_too_small',
    ]);
    expect(
      (
        await refused('documents', { files: [{ name: 'a.txt', size: 2, type: 'text/plain' }], input: { tags: [] } })
      ).slice(0, 2),
    ).toEqual([400, 'file_too_small']);
    for (const body of [
      null,
      {},
      { files: [] },
      { files: [{ name: 'a' }] },
      { files: [{ name: '', size: 1, type: '' }] },
      { files: [{ name: 'a', size: -1, type: '' }] },
    ]) {
      expect((await refused('any', body)).slice(0, 2), JSON.stringify(body)).toEqual([400, 'invalid_request']);
    }
    expect((await refused('nothing', {})).slice(0, 2)).toEqual([404, 'not_found']);
    expect((await refused('__proto__', {})).slice(0, 2)).toEqual([404, 'not_found']);
    expect((await fetch(app, { method: 'DELETE' })).status).toBe(405);
  });

  it('does not wait where it need not, and stores private files', async () => {
    const { body } = await ask<Prepared[]>(app, 'documents', {
      files: [{ name: 'a.txt', size: 3, type: 'text/plain' }],
      input: { tags: ['x'] },
    });
    const stored = await putFile((body[0] as Prepared).url, 'abc');
    expect(stored.body.serverData).toBeNull();
    expect((await fetch(stored.body.url)).status).toBe(403);
    await expect.poll(() => told[0]?.metadata).toEqual({ tags: ['x'] });
  });

  it('is told again until it takes it', async () => {
    failing = 1;
    const content = await picture(20, 20);
    const { body } = await ask<Prepared[]>(
      app,
      'avatar',
      { files: [image(content)], input: { album: 'me' } },
      { 'x-user': 'u3' },
    );
    const stored = await putFile((body[0] as Prepared).url, content);
    expect([stored.status, stored.body.message]).toEqual([502, expect.stringContaining('the database is down')]);
    await expect.poll(() => told.length, { timeout: 40_000 }).toBe(1);
    const again = await putFile((body[0] as Prepared).url, '', { start: content.length });
    expect(again.body.serverData).toEqual({ by: 'u3', size: content.length });
  });

  it('takes no word that Carcosa did not sign', async () => {
    const response = await fetch(`${app}?slug=any`, {
      method: 'POST',
      headers: { 'uploadthing-hook': 'callback', 'x-uploadthing-signature': `hmac-sha256=${'0'.repeat(64)}` },
      body: JSON.stringify({ status: 'uploaded', metadata: {}, file: { key: 'x' } }),
    });
    expect(response.status).toBe(403);
  });

  it('is told by a stream in development', async () => {
    const at = await listen(serving(createRouteHandler({ ...config(), isDev: true })));
    const { body } = await ask<Prepared[]>(at, 'any', { files: [{ name: 'Ä ö.bin', size: 4, type: '' }], input: {} });
    expect((await putFile((body[0] as Prepared).url, 'four')).body.serverData).toBe('Ä ö.bin');
  });
});

describe('a router in a framework', () => {
  const frameworks: Record<string, () => Promise<string>> = {
    Express: () => listen(() => express().use('/api/upload', expressHandler(config()))),
    'Express behind express.json()': () =>
      listen(() => express().use(express.json()).use('/api/upload', expressHandler(config()))),
    Fastify: async () => {
      const { default: fastify } = await import('fastify');
      const instance = fastify();
      await instance.register(uploadRoutes as never, { ...config(), path: '/api/upload' } as never);
      closers.push(() => instance.close());
      return `${await instance.listen({ port: 0, host: '127.0.0.1' })}/api/upload`;
    },
    Hono: () => {
      const hono = new Hono().all('/api/upload', honoHandler(config()));
      return listen(serving(async (request) => await hono.fetch(request)));
    },
    'Next.js, app': () => {
      const { GET, POST } = nextHandler(config());
      return listen(serving((request) => (request.method === 'GET' ? GET : POST)(request)));
    },
    'Next.js, pages': () => {
      const handle = pagesHandler(config());
      return listen(() => (request, response) => void handle(request, response));
    },
    'H3, version 1': () => {
      const handle = createEventHandler(config());
      return listen(() => (request, response) => {
        void handle({ node: { req: request } }).then(async (answer) =>
          response.writeHead(answer.status).end(await answer.text()),
        );
      });
    },
    'Remix and React Router': () => {
      const { loader, action } = remixHandler(config());
      return listen(serving((request) => (request.method === 'GET' ? loader : action)({ request })));
    },
    'SvelteKit and Astro': () => {
      const { GET, POST } = svelteHandler(config());
      return listen(serving((request) => (request.method === 'GET' ? GET : POST)({ request })));
    },
    Workers: () => {
      const env = { KEY: server.apiKey };
      const handle = createFetch((given: typeof env) => ({ router, url: server.url, apiKey: given.KEY }));
      return listen(serving((request) => handle(request, env, { waitUntil: () => {} })));
    },
    'Bun and Deno': () => listen(serving(createRouteHandler(config()))),
  };

  it.each(Object.keys(frameworks))('works in %s', async (name) => {
    const at = (await frameworks[name]?.()) ?? '';
    expect(((await (await fetch(at)).json()) as unknown[]).length).toBe(3);
    const { status, body } = await ask<Prepared[]>(at, 'any', {
      files: [{ name: `${name}.bin`, size: 4, type: '' }],
      input: {},
    });
    expect(status, JSON.stringify(body)).toBe(200);
    expect((await putFile((body[0] as Prepared).url, 'four')).body.serverData).toBe(`${name}.bin`);
  });
});

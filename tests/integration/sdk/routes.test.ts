import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AnyUploadRouter } from '@carcosa/contracts';
import { createRouteClient, isCarcosaError, type RouteServerData } from '@carcosa/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CuttingProxy, startCuttingProxy } from '../../support/cutting-proxy.ts';
import { type Server, startServer } from '../../support/server.ts';
import { newKey, signUpload } from '../../support/uploadthing.ts';

const MIB = 1024 * 1024;

interface Asked {
  slug: string | null;
  files: { name: string; size: number; type: string }[];
  input: unknown;
}

let proxy: CuttingProxy;
let server: Server;
let backend: { url: string; asked: Asked[]; refuse: object | undefined; close(): Promise<void> };
beforeAll(async () => {
  proxy = await startCuttingProxy();
  server = await startServer({ env: { CARCOSA_PUBLIC_URL: proxy.url } });
  proxy.target(server.directUrl);
  backend = await startBackend();
});
afterAll(async () => {
  await backend?.close();
  await server?.stop();
  await proxy?.close();
});

/** What a file router does for a client, without one: signs an address for each file. */
async function startBackend(): Promise<typeof backend> {
  const state = { asked: [] as Asked[], refuse: undefined as object | undefined };
  const http = createServer(async (request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://backend');
    const body = JSON.parse((await request.setEncoding('utf8').toArray()).join(''));
    state.asked.push({ slug: searchParams.get('slug'), ...body });
    if (state.refuse) return void response.writeHead(403).end(JSON.stringify(state.refuse));
    const prepared = (body as Asked).files.map((file) => {
      const { key, url } = signUpload(server, { ...file, key: newKey() });
      return { key, url, name: file.name, customId: null };
    });
    response.end(JSON.stringify(prepared));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/api/upload`,
    close: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  });
}

type Router = {
  avatar: { $types: { input: { album: string }; output: { by: string }; metadata: object; kind: 'image' } };
};

describe('createRouteClient', () => {
  const client = () => createRouteClient<Router>({ url: backend.url });

  it('asks the backend once for all files, and puts each to its address', async () => {
    const before = backend.asked.length;
    const files = ['one', 'two'].map((text) => new File([text], `${text} ü.txt`, { type: 'text/plain' }));
    const seen: number[] = [];
    const tasks = client().upload('avatar', files, {
      input: { album: 'a' },
      onProgress: (_progress, index) => seen.push(index),
    });
    const stored = await Promise.all(tasks);
    expect(backend.asked.slice(before)).toEqual([
      {
        slug: 'avatar',
        input: { album: 'a' },
        files: files.map(({ name, size, type, lastModified }) => ({ name, size, type, lastModified })),
      },
    ]);
    expect(stored.map(({ name }) => name)).toEqual(['one ü.txt', 'two ü.txt']);
    for (const [index, { key }] of stored.entries())
      expect(await (await fetch(`${server.url}/f/${key}`)).text()).toBe(['one', 'two'][index]);
    expect(new Set(seen)).toEqual(new Set([0, 1]));
  });

  it('goes on where the server stands when the connection breaks, and after a pause', async () => {
    const bytes = randomBytes(24 * MIB);
    proxy.cutAfter(10 * MIB);
    const before = proxy.cuts;
    const [task] = client().upload('avatar', [new File([bytes], 'large.bin')], { input: { album: 'a' } });
    await expect.poll(() => proxy.cuts, { timeout: 30_000 }).toBe(before + 1);
    task?.pause();
    expect(task?.state).toBe('paused');
    task?.resume();
    const { key } = (await task) ?? { key: '' };
    const content = Buffer.from(await (await fetch(`${server.url}/f/${key}`)).arrayBuffer());
    expect(createHash('sha256').update(content).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('tells what the backend refuses in its words, or by its code', async () => {
    const upload = () => client().upload('avatar', [new Blob(['x'])], { input: { album: 'a' } })[0]?.done;
    try {
      backend.refuse = { message: 'Log in first.' };
      await expect(upload()).rejects.toMatchObject({ code: 'route_refused', message: 'Log in first.' });
      backend.refuse = { error: 'file_too_large', message: 'At most 4 MB.', details: { limit: 4 } };
      await expect(upload()).rejects.toSatisfy((error) => isCarcosaError(error, 'file_too_large'));
    } finally {
      backend.refuse = undefined;
    }
  });

  it('has the types of the router', () => {
    const data: RouteServerData<Router, 'avatar'> = { by: 'me' };
    expect(data.by).toBe('me');
    // A router of @carcosa/file-router is one of these.
    const accepted: (router: AnyUploadRouter) => Router | undefined = () => undefined;
    expect(accepted({})).toBeUndefined();
    // @ts-expect-error: there is no such route
    const unknownRoute = () => client().upload('banner', []);
    // @ts-expect-error: the input is of another type
    const otherInput = () => client().upload('avatar', [], { input: { album: 7 } });
    expect([unknownRoute, otherInput]).toHaveLength(2);
  });
});

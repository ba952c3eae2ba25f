import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { describeWith, findTool } from '../../support/tools.ts';
import { expectSame, pattern, type ServingNode, ServingWorld } from './support.ts';

const bytes = pattern(3_000_000);

describeWith(['nginx'], 'behind nginx, with X-Accel-Redirect', () => {
  let world: ServingWorld;
  let node: ServingNode;
  let nginx: ChildProcess;
  let front: string;
  beforeAll(async () => {
    world = await ServingWorld.open({ env: { CARCOSA_SENDFILE: 'x-accel-redirect' } });
    node = world.node;
    const port = await freePort();
    const configuration = path.join(world.dataDir, 'nginx.conf');
    await writeFile(configuration, nginxConfiguration(world.dataDir, port, node.url));
    nginx = spawn(findTool('nginx') as string, ['-c', configuration, '-e', path.join(world.dataDir, 'nginx.log')]);
    front = `http://127.0.0.1:${port}`;
    await vi.waitFor(() => fetch(`${front}/health`), { timeout: 10_000 });
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => nginx.once('exit', resolve));
    nginx.kill();
    await ended;
    await world.close();
  });

  const get = (address: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(front + new URL(address).pathname + new URL(address).search, { headers, method });

  it('lets nginx send the bytes, with our word on type, name and caching', async () => {
    const { url } = await node.put('näme.png.bin', bytes);
    const own = await node.get(url);
    expect(own.headers.get('x-accel-redirect')).toMatch(/^\/carcosa-data\/buckets\/.*~obj_\w+\.bin$/);
    expect(await own.text()).toBe('');
    const answer = await get(`${url}?v=1&download=other.bin`);
    expectSame(Buffer.from(await answer.arrayBuffer()), bytes);
    expect(answer.headers.get('server')).toMatch(/^nginx/);
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="other.bin"');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const range = await get(url, { range: 'bytes=1000000-1999999' });
    expect([range.status, range.headers.get('content-range')]).toEqual([206, 'bytes 1000000-1999999/3000000']);
    expectSame(Buffer.from(await range.arrayBuffer()), bytes.subarray(1_000_000, 2_000_000));
    const head = await get(url, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '3000000']);
    expect((await get(url, { 'if-none-match': head.headers.get('etag') ?? '' })).status).toBe(304);
  });

  it('decides itself who may see a file, and sends itself what needs a policy', async () => {
    const secret = await node.put('secret', 'x', { visibility: 'private' });
    expect((await get(secret.url)).status).toBe(403);
    const drawing = await node.put('drawing.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>');
    const answer = await get(drawing.url);
    expect(answer.headers.get('content-security-policy')).toMatch(/sandbox$/);
    expect(await answer.text()).toBe('<svg xmlns="http://www.w3.org/2000/svg"/>');
    expect((await fetch(`${front}/carcosa-data/database/PG_VERSION`)).status).toBe(404);
  });
});

/** As docs for operators show it: an internal location that shows the data directory. */
function nginxConfiguration(directory: string, port: number, upstream: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/nginx-${name};`,
  );
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    worker_processes 1; daemon off; pid ${directory}/nginx.pid;
    events { worker_connections 64; }
    http {
      access_log off; ${temporary.join(' ')}
      server {
        listen 127.0.0.1:${port};
        location / { proxy_pass ${upstream}; proxy_set_header Host $host; }
        location /carcosa-data/ {
          internal;
          alias ${directory}/;
          add_header X-Content-Type-Options nosniff always;
        }
      }
    }`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { expectIntact } from '../support/files.ts';
import { patternBytes } from '../support/random.ts';
import { rawConnect, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
afterEach(() => server.stop());

describe('a process that stops', () => {
  it('hands an upload over to the next one, which goes on where it was', async () => {
    server = await startServer();
    const bytes = patternBytes('handed over', 2_000_000);
    const tus = { authorization: `Bearer ${server.apiKey}`, 'tus-resumable': '1.0.0' };
    const made = await server.request('/api/v1/tus', {
      method: 'POST',
      headers: { ...tus, 'upload-length': String(bytes.length), 'upload-metadata': `path ${btoa('over.bin')}` },
    });
    const path = `/api/v1/tus/${made.headers.get('location')?.split('/').at(-1)}`;
    const sender = await rawConnect(server.url);
    const headers = {
      ...tus,
      ...{ 'upload-offset': '0', 'content-type': 'application/offset+octet-stream', 'content-length': bytes.length },
    };
    await sender.write(requestHead('PATCH', path, headers));
    await sender.write(bytes.subarray(0, 1_200_000));
    await server.api('GET', '/files');
    // The sender is silent from here on: what has come is saved when the time is over.
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    sender.destroy();

    await server.restart();
    const head = await server.request(path, { method: 'HEAD', headers: tus });
    const offset = Number(head.headers.get('upload-offset'));
    expect(offset).toBeGreaterThan(0);
    const patched = await server.request(path, {
      method: 'PATCH',
      headers: { ...tus, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
      body: new Uint8Array(bytes.subarray(offset)),
    });
    expect(patched.status).toBe(204);
    const id = patched.headers.get('carcosa-file-id') ?? '';
    const file = await until(async () => (await server.api<FileInfo>('GET', `/files/${id}`)).data);
    await expectIntact(server, file, bytes);
  });
});

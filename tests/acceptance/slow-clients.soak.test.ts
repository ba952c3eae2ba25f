import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { put } from '../support/files.ts';
import { type RawConnection, rawConnect, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

/** Long enough for any time-out that is still of use, short enough for a test. */
const CUT_OFF_WITHIN_MS = 400_000;

/** Sends one byte a second until the server hangs up; gives the seconds that it took. */
async function trickle(connection: RawConnection, byte: string): Promise<number> {
  const begun = performance.now();
  const timer = setInterval(() => void connection.write(byte).catch(() => {}), 1000);
  const limit = setTimeout(() => connection.destroy(), CUT_OFF_WITHIN_MS);
  await connection.closed;
  clearInterval(timer);
  clearTimeout(limit);
  return (performance.now() - begun) / 1000;
}

describe('a client that never comes to an end is cut off (27)', () => {
  it.concurrent('in its headers', async () => {
    const connection = await rawConnect(server.url);
    await connection.write('GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ');
    expect(await trickle(connection, 'x')).toBeLessThan(120);
  });

  it.concurrent('in a JSON body', async () => {
    const connection = await rawConnect(server.url);
    const headers = { 'x-api-key': server.apiKey, 'content-type': 'application/json', 'content-length': 100_000 };
    await connection.write(requestHead('POST', '/api/v1/uploads/init', headers));
    expect(await trickle(connection, ' ')).toBeLessThan(CUT_OFF_WITHIN_MS / 1000 - 1);
  });

  it.concurrent('in the body of an upload that stops altogether', async () => {
    const connection = await rawConnect(server.url);
    const headers = { 'x-api-key': server.apiKey, 'content-length': 100_000 };
    await connection.write(`${requestHead('POST', '/api/v1/files?path=stopped', headers)}some`);
    expect(await trickle(connection, '')).toBeLessThan(CUT_OFF_WITHIN_MS / 1000 - 1);
  });

  it.concurrent('in reading what it asked for', async () => {
    const file = await put(server, Buffer.alloc(64 * 2 ** 20, 'r'), { path: 'slow-read' });
    const connection = await rawConnect(server.url);
    connection.pause();
    await connection.write(requestHead('GET', `/f/${file.key}`, {}));
    expect(await trickle(connection, '')).toBeLessThan(CUT_OFF_WITHIN_MS / 1000 - 1);
  });

  it.concurrent('between two requests', async () => {
    const connection = await rawConnect(server.url);
    await connection.write(requestHead('GET', '/health', {}));
    await connection.response();
    expect(await trickle(connection, '')).toBeLessThan(CUT_OFF_WITHIN_MS / 1000 - 1);
  });
});

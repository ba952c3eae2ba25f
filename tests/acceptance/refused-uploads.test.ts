import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listAll } from '../support/files.ts';
import { rawConnect, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import { tusCreate } from '../support/tus.ts';

const TUS = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' };

describe('uploads that are refused before their body has ended', () => {
  let server: Server;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  const authorization = () => ({ authorization: `Bearer ${server.apiKey}` });
  const chunk = (bytes: Buffer) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF]);
  const CRLF = Buffer.from('\r\n');
  const END = Buffer.from('0\r\n\r\n');

  it.each([
    ['in the middle', 100],
    ['with all of it in one piece', 60_000],
    ['with more than fits in memory', 2_000_000],
  ])('leave a connection on which the next request is answered: %s', async (_how, surplus) => {
    const address = new URL(await tusCreate(server, 10, { filename: 'x' }), server.url).pathname;
    const connection = await rawConnect(server.url);
    try {
      const headers = { ...TUS, ...authorization(), 'upload-offset': 0, 'transfer-encoding': 'chunked' };
      const body = Buffer.concat([chunk(Buffer.alloc(surplus)), END]);
      await connection.write(requestHead('PATCH', address, headers));
      // The answer comes before the body has ended, or with it.
      const sent = connection.write(body);
      expect((await connection.response()).status).toBe(413);
      await sent;
      await connection.write(requestHead('GET', '/health', {}));
      expect((await connection.response()).status).toBe(200);
    } finally {
      connection.destroy();
    }
  });

  describe('Expect: 100-continue', () => {
    const ask = async (headers: Record<string, string | number>, target = '/api/v1/files?path=expected') => {
      const connection = await rawConnect(server.url);
      await connection.write(
        requestHead('POST', target, {
          'content-type': 'text/plain',
          expect: '100-continue',
          'content-length': 5,
          ...headers,
        }),
      );
      return connection;
    };

    it.each([
      ['without a key', 401, () => ({})],
      ['with a wrong checksum header', 400, () => ({ ...authorization(), 'x-checksum-sha256': 'nonsense' })],
    ])('is answered at once %s, not asked for the body', async (_how, status, headers) => {
      const connection = await ask(headers());
      const raw = await connection.firstLine();
      expect(raw).toContain(` ${status} `);
      expect((await connection.response()).status).toBe(status);
      await connection.closed;
    });

    it('is asked for the body that is wanted', async () => {
      const connection = await ask(authorization());
      expect(await connection.firstLine()).toBe('HTTP/1.1 100 Continue');
      await connection.write('12345');
      expect((await connection.response()).status).toBe(201);
      await connection.write(requestHead('GET', '/health', {}));
      expect((await connection.response()).status).toBe(200);
      connection.destroy();
      expect((await listAll(server)).map(({ path }) => path)).toContain('expected');
    });

    it('is asked for a body of JSON as well', async () => {
      const connection = await ask({ ...authorization(), 'content-type': 'application/json' }, '/api/v1/files/bulk');
      expect(await connection.firstLine()).toBe('HTTP/1.1 100 Continue');
      connection.destroy();
    });
  });
});

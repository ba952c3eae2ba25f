import type { ServerResponse } from 'node:http';
import { IdGenerator, ManualClock } from '@carcosa/kernel';
import { afterEach, describe, expect, it } from 'vitest';
import { type RawConnection, rawConnect, rawExchange, requestHead } from '../../../../tests/support/raw-http.ts';
import { type CONNECTION_LIMITS, Listener, type RequestHandler } from './listener.ts';

const parts = { clock: new ManualClock(), ids: new IdGenerator() };
const opened: { listener: Listener; connections: RawConnection[] }[] = [];

afterEach(async () => {
  for (const { listener, connections } of opened.splice(0)) {
    for (const connection of connections) connection.destroy();
    await listener.drain(AbortSignal.abort());
  }
});

async function listen(handler: RequestHandler | null, limits: Partial<typeof CONNECTION_LIMITS> = {}) {
  const listener = new Listener({ ...parts, limits });
  const url = `http://127.0.0.1:${await listener.listen('127.0.0.1', 0)}`;
  if (handler) listener.handle(handler);
  const connections: RawConnection[] = [];
  opened.push({ listener, connections });
  const connect = async (): Promise<RawConnection> => {
    const connection = await rawConnect(url);
    connections.push(connection);
    return connection;
  };
  return { listener, url, connect };
}

const ok: RequestHandler = (request, response) => {
  request.resume().on('end', () => response.end('ok'));
};
const get = requestHead('GET', '/', {});

describe('before and after its time', () => {
  it('says that it starts, and that it is alive', async () => {
    const { url, listener } = await listen(null);
    const early = await rawExchange(url, get);
    expect([early.status, early.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(early.body.toString())).toMatchObject({ error: 'overloaded', status: 503 });
    expect((await rawExchange(url, requestHead('GET', '/health', {}))).status).toBe(200);
    listener.handle(ok);
    expect((await rawExchange(url, get)).status).toBe(200);
  });

  it('rejects for a port that is taken', async () => {
    const { url } = await listen(ok);
    const second = new Listener(parts);
    await expect(second.listen('127.0.0.1', Number(new URL(url).port))).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('drains: what runs ends, what is idle is closed, nothing new begins', async () => {
    const running: ServerResponse[] = [];
    const { listener, connect } = await listen((_request, response) => void running.push(response));
    const idle = await connect();
    const busy = await connect();
    await busy.write(get);
    await expect.poll(() => running.length).toBe(1);
    const drained = listener.drain(new AbortController().signal);
    await idle.closed;
    running[0]?.end('done');
    expect((await busy.response()).body.toString()).toBe('done');
    await drained;
    await expect(connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('cuts what does not end', async () => {
    const running: ServerResponse[] = [];
    const { listener, connect } = await listen((_request, response) => void running.push(response));
    const busy = await connect();
    await busy.write(get);
    await expect.poll(() => running.length).toBe(1);
    const cut = new AbortController();
    const drained = listener.drain(cut.signal);
    cut.abort();
    await Promise.all([drained, busy.closed]);
  });
});

describe('what is not HTTP is refused in the shape of every error', () => {
  it.each([
    ['headers of 17 kB', requestHead('GET', '/', { 'x-long': 'x'.repeat(17 * 1024) }), 431, 'headers_too_large'],
    ['Content-Length with Transfer-Encoding', smuggled('content-length: 5\r\ntransfer-encoding: chunked'), 400],
    ['two different Content-Lengths', smuggled('content-length: 5\r\ncontent-length: 6'), 400],
    ['a negative Content-Length', smuggled('content-length: -1'), 400],
    ['bare line feeds', 'GET / HTTP/1.1\nhost: x\n\n', 400],
    ['a bare line feed in a header', 'GET / HTTP/1.1\r\nhost: x\nx-smuggled: 1\r\n\r\n', 400],
    ['a space before the colon', 'GET / HTTP/1.1\r\nhost : x\r\n\r\n', 400],
    ['an obsolete line folding', 'GET / HTTP/1.1\r\nhost: x\r\nx-folded: a\r\n b\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['noise', '\x16\x03\x01\x02\x00\x01\x00\x01', 400],
  ])('%s', async (_, bytes, status, error = 'invalid_request') => {
    const { url } = await listen(ok);
    const answer = await rawExchange(url, bytes);
    expect(answer.status).toBe(status);
    const body = JSON.parse(answer.body.toString());
    expect(body).toMatchObject({ error, status, requestId: answer.headers['x-request-id'] });
    expect(answer.headers.connection).toBe('close');
  });

  it('a chunked body with a bad size', async () => {
    const { connect } = await listen((request) => void request.on('error', () => {}).resume());
    const connection = await connect();
    await connection.write(`${requestHead('POST', '/', { 'transfer-encoding': 'chunked' })}zz\r\nhello\r\n`);
    expect((await connection.response()).status).toBe(400);
  });
});

describe('who is slow is cut off', () => {
  const limits = { headersMs: 300, inactivityMs: 400 };

  it('in the header lines', async () => {
    const { connect } = await listen(ok, { headersMs: 200 });
    const connection = await connect();
    await connection.write('GET / HTTP/1.1\r\nx: ');
    expect((await connection.response()).status).toBe(408);
    await connection.closed;
  });

  it('in the body', async () => {
    const { connect } = await listen(ok, limits);
    const connection = await connect();
    await connection.write(`${requestHead('POST', '/', { 'content-length': 10 })}half`);
    await connection.closed;
  });

  it('in reading', async () => {
    const megabyte = Buffer.alloc(1024 * 1024);
    let isCut = false;
    const { connect } = await listen((_request, response) => {
      response.on('close', () => {
        isCut = true;
      });
      for (let i = 0; i < 32; i++) response.write(megabyte);
    }, limits);
    const connection = await connect();
    connection.pause();
    await connection.write(get);
    await expect.poll(() => isCut, { timeout: 10_000 }).toBe(true);
    // The system lets go of what was not read, too: otherwise it would keep offering it for minutes.
    const isReset = (): Promise<boolean> =>
      connection.write('').then(
        () => connection.isClosed,
        () => true,
      );
    await expect.poll(isReset, { timeout: 10_000 }).toBe(true);
  });

  it('before the first byte', async () => {
    const { connect } = await listen(ok, limits);
    await (await connect()).closed;
  });

  it('but not who waits for us', async () => {
    let answer = (): void => {};
    const { connect } = await listen((_request, response) => {
      answer = () => response.end('at last');
    }, limits);
    const connection = await connect();
    await connection.write(get);
    const other = await connect();
    // The other connection, opened later, is cut off for its silence: then more than the limit has passed for the first too.
    await other.closed;
    expect(connection.isClosed).toBe(false);
    answer();
    expect((await connection.response()).body.toString()).toBe('at last');
  });
});

function smuggled(headers: string): string {
  return `POST / HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\n0\r\n\r\n`;
}

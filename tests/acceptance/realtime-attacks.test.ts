import { randomBytes } from 'node:crypto';
import { readdir, readlink } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { expectData } from '../support/api.ts';
import { until, within } from '../support/clock.ts';
import { connectSocket, followOperation, openEventStream, type SocketClient } from '../support/realtime.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
let room: string[];
const clients: { close(): void }[] = [];
const PER_CLIENT = 12;

beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_REALTIME_CONNECTIONS_PER_CLIENT: String(PER_CLIENT) } });
  room = [`project:${server.projectId}`];
  const json = { read: null, write: null, expensive: null };
  expectData(await server.api('PATCH', '/rate-limits', { json }));
}, 60_000);
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(() => server.stop());

async function connect(options: Parameters<typeof connectSocket>[1] = {}): Promise<SocketClient> {
  const client = connectSocket(server.url, { token: server.apiKey, ...options });
  clients.push(client);
  expect(await client.connected).toBeNull();
  return client;
}

const upload = async (path: string): Promise<string> =>
  expectData(await server.api<{ id: string }>('POST', '/files', { query: { path }, body: path }), 201).id;

/** A WebSocket that speaks the protocol below Socket.IO. */
function raw(path = '/socket.io/?EIO=4&transport=websocket'): {
  client: WebSocket;
  opened: Promise<unknown>;
  closed: Promise<number>;
} {
  const client = new WebSocket(`${server.url.replace('http', 'ws')}${path}`);
  clients.push({ close: () => client.terminate() });
  client.on('error', () => {});
  const opened = new Promise((resolve) => client.once('open', resolve));
  const closed = new Promise<number>((resolve) => client.once('close', resolve));
  return { client, opened, closed };
}

describe('a client that means ill', () => {
  it('is cut off when it sends a frame of 1 MiB, by every door', async () => {
    const { client, opened, closed } = raw();
    await opened;
    client.send(Buffer.alloc(1024 * 1024));
    expect(await within(5_000, 'the end', closed)).toBe(1009);
    const known = await connect();
    const gone = new Promise((resolve) => known.socket.once('disconnect', resolve));
    known.socket.emit('subscribe', { rooms: ['x'.repeat(1024 * 1024)] });
    await within(5_000, 'the end', gone);
    const id = await begin();
    const operation = followOperation(server.url, id, { headers: { 'x-api-key': server.apiKey } });
    await until(() => operation.messages.length > 0);
    operation.client.send(Buffer.alloc(1024 * 1024));
    expect(await within(5_000, 'the end', operation.ended)).toEqual({ code: 1009 });
    const posted = await server.request('/socket.io/?EIO=4&transport=polling&sid=x', { method: 'POST', body: 'x' });
    expect(posted.status).toBe(400);
  });

  it('is cut off when it does not say who it is', async () => {
    const { opened, closed } = raw();
    await opened;
    await within(15_000, 'the end', closed);
  });

  it('is cut off when it sends without end, or what no client would', async () => {
    const flood = await connect();
    const gone = new Promise((resolve) => flood.socket.once('disconnect', resolve));
    for (let at = 0; at < 1_000; at += 1) flood.socket.emit('unsubscribe', { rooms: ['x'] });
    await within(5_000, 'the end', gone);
    for (const message of [
      '7',
      '42["subscribe"',
      '4',
      '40/admin,',
      '451-["x",{"_placeholder":true,"num":0}]',
      '\u0000'.repeat(50),
    ]) {
      const { client, opened, closed } = raw();
      await opened;
      client.send(`40${JSON.stringify({ token: server.apiKey })}`);
      client.send(message);
      // Whatever the library makes of it: nobody else notices.
      client.close();
      await within(5_000, 'the end', closed);
    }
    (await connect()).close();
  });

  it('does not keep others waiting, nor fill the memory, when it does not read', async () => {
    const fast = await connect();
    await fast.subscribe(room);
    const slow = await connect();
    await slow.subscribe(room);
    const socket = (
      slow.socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void; resume(): void } } }
    ).ws._socket;
    socket.pause();
    const slowStream = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
    slowStream.on('error', () => {});
    const streamGone = new Promise((resolve) => slowStream.once('close', resolve));
    slowStream.write(`GET /api/v1/events/stream HTTP/1.1\r\nhost: x\r\nx-api-key: ${server.apiKey}\r\n\r\n`);
    await new Promise((resolve) => slowStream.once('readable', resolve));
    slowStream.pause();
    const files = await Promise.all(Array.from({ length: 40 }, (_, at) => upload(`slow/${at}.txt`)));
    const [before, open] = [server.rss(), await connections()];
    const isCutOff = async () => (await connections()) <= open - 2;
    // More than the buffers of any system between the two hold: 40 x 60 x 12 KiB.
    for (let round = 0; round < 60; round += 1) {
      const metadata = { round, filling: randomBytes(6 * 1024).toString('hex') };
      const items = files.map((id) => ({ id, metadata }));
      expectData(await server.api('POST', '/files/bulk', { json: { action: 'update', items } }));
    }
    const updates = () => fast.heard.types.filter((type) => type === 'file.updated').length;
    await until(() => updates() === 40 * 60, { within: 20_000, what: 'the fast reader to hear everything' });
    expect(server.rss() - before).toBeLessThan(200 * 1024 * 1024);
    const gone = new Promise((resolve) => slow.socket.once('disconnect', resolve));
    await until(isCutOff, { within: 15_000, what: 'the slow readers to be cut off' });
    socket.resume();
    slowStream.resume();
    await within(10_000, 'the end of the slow socket', gone);
    await within(10_000, 'the end of the slow stream', streamGone);
    fast.close();
  });

  it('has so many connections and no more', async () => {
    const held: SocketClient[] = [];
    // Those of the tests before may still be leaving.
    await until(
      async () => {
        const client = connectSocket(server.url, { token: server.apiKey });
        clients.push(client);
        if ((await client.connected) === null) held.push(client);
        else client.close();
        return held.length === PER_CLIENT;
      },
      { within: 40_000, what: `the ${PER_CLIENT} connections` },
    );
    const more = connectSocket(server.url, { token: server.apiKey });
    clients.push(more);
    expect(await more.connected).not.toBeNull();
    const refused = await openEventStream(`${server.url}/api/v1/events/stream`, { 'x-api-key': server.apiKey });
    expect([refused.status, refused.body]).toMatchObject([429, { error: 'rate_limited' }]);
    const polled = await server.request('/socket.io/?EIO=4&transport=polling');
    expect([polled.status, await polled.json()]).toMatchObject([429, { error: 'rate_limited' }]);
    for (const client of held) client.close();
    await until(async () => {
      const again = connectSocket(server.url, { token: server.apiKey });
      const isIn = (await again.connected) === null;
      again.close();
      return isIn;
    });
  });
});

/** Connections of the server, as the system sees them. */
async function connections(): Promise<number> {
  const entries = await readdir(`/proc/${server.pid}/fd`);
  const links = await Promise.all(entries.map((fd) => readlink(`/proc/${server.pid}/fd/${fd}`).catch(() => '')));
  return links.filter((link) => link.startsWith('socket:')).length;
}

async function begin(): Promise<string> {
  const created = await server.request('/api/v1/tus', {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${server.apiKey}`, 'tus-resumable': '1.0.0', 'upload-length': '100' },
      'upload-metadata': `path ${Buffer.from('begun.bin').toString('base64')}`,
    },
  });
  return created.headers.get('location')?.split('/').at(-1) ?? '';
}

describe('a stop', () => {
  it('tells clients to move on; they come back and miss nothing', async () => {
    const client = await connect({ reconnection: true });
    let since = (await client.subscribe(room)).data?.cursor;
    client.socket.on('event', (_event: unknown, cursor: string) => {
      since = cursor;
    });
    client.socket.on('connect', () => void client.subscribe(room, since));
    const source = await openEventStream(`${server.url}/api/v1/events/stream`, { 'x-api-key': server.apiKey });
    const operation = followOperation(server.url, await begin(), { headers: { 'x-api-key': server.apiKey } });
    await until(() => operation.messages.length > 0);
    const first = await upload('before.txt');
    await client.heard.until((each) => each.resourceId === first);
    const left = new Promise((resolve) => client.socket.once('disconnect', resolve));
    expect(await server.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await within(5_000, 'the end of the socket', left)).toBe('transport close');
    expect(client.heard.closings).toMatchObject([{ error: 'shutting_down' }]);
    await within(5_000, 'the end of the stream', source.ended);
    expect(source.heard.closings).toMatchObject([{ error: 'shutting_down' }]);
    expect(await within(5_000, 'the end of the operation', operation.ended)).toEqual({ code: 1012 });
    await server.restart();
    const second = await upload('after.txt');
    await client.heard.until((each) => each.resourceId === second);
    expect(client.heard.resources.filter((id) => id === first || id === second)).toEqual([first, second]);
  });

  it('of a server that is killed is made up for in the same way', async () => {
    const client = await connect({ reconnection: true });
    let since = (await client.subscribe(room)).data?.cursor;
    client.socket.on('event', (_event: unknown, cursor: string) => {
      since = cursor;
    });
    client.socket.on('connect', () => void client.subscribe(room, since));
    const first = await upload('killed.txt');
    await server.kill('SIGKILL');
    await server.restart();
    const second = await upload('risen.txt');
    await client.heard.until((each) => each.resourceId === second);
    expect(client.heard.resources.filter((id) => id === first || id === second)).toEqual([first, second]);
  });
});

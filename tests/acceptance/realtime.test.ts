import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { until, within } from '../support/clock.ts';
import { type Person, register } from '../support/people.ts';
import {
  connectSocket,
  type EventStream,
  followOperation,
  openEventStream,
  type SocketClient,
  type SocketOptions,
} from '../support/realtime.ts';
import { type Server, startServer } from '../support/server.ts';
import { type Estate, join, liftLimits, makeEstate } from './tree/estate.ts';

let server: Server;
let admin: Person;
let estate: Estate;
let other: Estate;
const clients: { close(): void }[] = [];

beforeAll(async () => {
  server = await startServer();
  admin = await register(server);
  await liftLimits(admin);
  estate = await makeEstate(server, 'House');
  other = await makeEstate(server, 'Neighbour');
}, 90_000);
afterAll(async () => {
  for (const client of clients) client.close();
  await server.stop();
});

async function connect(options: SocketOptions = {}): Promise<SocketClient> {
  const client = connectSocket(server.url, options);
  clients.push(client);
  expect(await client.connected).toBeNull();
  return client;
}

async function stream(query: string, key: string, headers: Record<string, string> = {}): Promise<EventStream> {
  const opened = await openEventStream(`${server.url}/api/v1/events/stream?${query}`, {
    authorization: `Bearer ${key}`,
    ...headers,
  });
  clients.push(opened);
  return opened;
}

async function upload(path: string, key = estate.key, query = {}): Promise<string> {
  const answer = await server.api<{ id: string }>('POST', '/files', { key, query: { path, ...query }, body: path });
  return expectData(answer, 201).id;
}

const rename = async (id: string, name: string, key = estate.key) =>
  expectData(await server.api('PATCH', `/files/${id}`, { key, json: { name } }));

let count = 0;
const fresh = (suffix = 'txt'): string => `realtime/${++count}.${suffix}`;

describe('who may connect', () => {
  it.each(['websocket', 'polling'] as const)('by %s: a key, an access token, a tenant token', async (transport) => {
    for (const token of [estate.key, estate.owner.accessToken, estate.tenantToken]) {
      const client = await connect({ token, transports: [transport] });
      client.close();
    }
  });

  it('a key in a header, and the cookie of a browser on a page of this server', async () => {
    (await connect({ headers: { 'x-api-key': estate.key } })).close();
    const cookie = `carcosa_access=${estate.owner.accessToken}`;
    (await connect({ headers: { cookie, origin: server.url } })).close();
  });

  it.each([
    ['nothing', {}],
    ['an empty token', { token: '' }],
    ['a key that nobody has', { token: 'sk_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb' }],
    ['a token that nobody signed', { token: 'eyJhbGciOiJub25lIn0.e30.' }],
  ])('not with %s', async (_what, options) => {
    const client = connectSocket(server.url, options);
    clients.push(client);
    expect(await client.connected).toMatchObject({ error: 'unauthenticated' });
    client.close();
  });

  it('not with the cookie of a browser from the page of another site, or of none', async () => {
    const cookie = `carcosa_access=${estate.owner.accessToken}`;
    const pages: Record<string, string>[] = [{ origin: 'https://evil.example' }, { origin: 'null' }, {}];
    for (const page of pages) {
      const headers = { cookie, ...page };
      const client = connectSocket(server.url, { headers });
      clients.push(client);
      expect(await client.connected).toMatchObject({ error: 'cross_site_request' });
      client.close();
      expect(await followOperation(server.url, estate.ids.upload, { headers }).ended).toEqual({ refused: 403 });
    }
  });

  it('not with a key or token that has ended', async () => {
    const made = expectData(
      await estate.owner.call<{ id: string; key: string }>('POST', '/api-keys', {
        json: { projectId: estate.ids.project, name: 'x', permissions: ['files:read'] },
      }),
      201,
    );
    await estate.owner.call('DELETE', `/api-keys/${made.id}`);
    const client = connectSocket(server.url, { token: made.key });
    clients.push(client);
    expect(await client.connected).toMatchObject({ error: 'unauthenticated' });
    expect((await stream('', made.key)).status).toBe(401);
    expect(await followOperation(server.url, estate.ids.upload, { headers: { 'x-api-key': made.key } }).ended).toEqual({
      refused: 401,
    });
  });

  it('not from an origin that the project or the key does not allow', async () => {
    const json = {
      ...{ projectId: estate.ids.project, name: 'x', permissions: ['files:read'] },
      restrictions: { origins: ['https://shop.example'] },
    };
    const { key } = expectData(await estate.owner.call<{ key: string }>('POST', '/api-keys', { json }), 201);
    (await connect({ token: key, headers: { origin: 'https://shop.example' } })).close();
    for (const headers of [{ origin: 'https://evil.example' }, {}] as Record<string, string>[]) {
      const client = connectSocket(server.url, { token: key, headers });
      clients.push(client);
      expect(await client.connected).toMatchObject({ error: 'forbidden' });
    }
  });
});

describe('rooms', () => {
  it('are joined with the right to them, and are otherwise as those that do not exist', async () => {
    const mine = { ...estate.ids, user: estate.owner.user.id };
    const theirs = { ...other.ids, user: other.owner.user.id };
    const owner = await connect({ token: estate.owner.accessToken });
    const kinds = ['user', 'organization', 'team', 'project', 'tenant', 'upload', 'operation'] as const;
    for (const kind of kinds) {
      const idOf = (ids: typeof mine): string => (kind === 'operation' ? ids.upload : ids[kind]);
      expect(await owner.subscribe([`${kind}:${idOf(mine)}`]), kind).toMatchObject({ success: true });
      const foreign = await owner.subscribe([`${kind}:${idOf(theirs)}`]);
      const missing = await owner.subscribe([`${kind}:${idOf(mine).replace(/_.*/, `_${'0'.repeat(26)}`)}`]);
      expect([foreign.error, foreign.message], kind).toEqual(['not_found', missing.message]);
      expect(missing.error).toBe('not_found');
    }
    for (const room of ['project', 'project:', 'files:x', `project:${mine.project}:x`, '__proto__:x'])
      expect(await owner.subscribe([room]), room).toMatchObject({ error: 'invalid_request', status: 400 });
    for (const message of [null, {}, { rooms: [] }, { rooms: [1] }, { rooms: ['x'], more: 1 }, 'x'])
      expect(await owner.send('subscribe', message)).toMatchObject({ error: 'invalid_request', status: 400 });
    owner.close();
  });

  it('are joined all or none', async () => {
    const { owner, ids } = estate;
    const client = await connect({ token: owner.accessToken });
    expect(await client.subscribe([`project:${ids.project}`, `project:${other.ids.project}`])).toMatchObject({
      error: 'not_found',
    });
    expect((await client.subscribe([`team:${ids.team}`])).data?.rooms).toEqual([`team:${ids.team}`]);
    expect((await client.send('unsubscribe', { rooms: [`team:${ids.team}`] })).data?.rooms).toEqual([]);
    client.close();
  });

  it('of an organization are for those who manage it', async () => {
    const room = [`organization:${estate.ids.organization}`];
    const member = await connect({ token: estate.member.accessToken });
    expect(await member.subscribe(room)).toMatchObject({ error: 'forbidden' });
    const key = await connect({ token: estate.key });
    expect(await key.subscribe(room)).toMatchObject({ error: 'not_found' });
  });

  it('tell each who is in them what it may see, once it is true', async () => {
    const { ids } = estate;
    const whole = await connect({ token: estate.key });
    const confined = await connect({ token: estate.tenantKey });
    const token = await connect({ token: estate.tenantToken });
    const reader = await connect({ token: estate.viewer.accessToken });
    const outside = await connect({ token: other.key });
    for (const client of [whole, confined, token, reader])
      expect(await client.subscribe([`project:${ids.project}`])).toMatchObject({ success: true });
    await outside.subscribe([`project:${other.ids.project}`]);
    const [inside, beside] = [await upload(fresh(), estate.tenantKey), await upload(fresh())];
    const made = expectData(
      await estate.owner.call<{ id: string }>('POST', '/api-keys', {
        json: { projectId: ids.project, name: 'seen', permissions: ['files:read'] },
      }),
      201,
    );
    const last = await upload(fresh(), estate.tenantKey);
    for (const client of [whole, confined, token, reader]) await client.heard.until((each) => each.resourceId === last);
    expect(whole.heard.resources).toEqual([inside, beside, made.id, last]);
    expect(confined.heard.resources).toEqual([inside, last]);
    expect(token.heard.resources).toEqual([inside, last]);
    expect(reader.heard.resources.filter((id) => id !== made.id)).toEqual([inside, beside, last]);
    const theirs = await upload(fresh(), other.key);
    await outside.heard.until((each) => each.resourceId === theirs);
    expect(outside.heard.resources).toEqual([theirs]);
    expect(whole.heard.events[0]).toMatchObject({ type: 'file.created', projectId: ids.project, data: { id: inside } });
  });

  it('of a folder tell of what happens below it', async () => {
    const json = {
      ...{ projectId: estate.ids.project, name: 'x', permissions: ['files:read'] },
      restrictions: { pathPrefix: 'realtime/below' },
    };
    const { key } = expectData(await estate.owner.call<{ key: string }>('POST', '/api-keys', { json }), 201);
    const client = await connect({ token: key });
    await client.subscribe([`project:${estate.ids.project}`]);
    await upload('realtime/belowish.txt');
    await upload(fresh());
    const seen = await upload('realtime/below/a.txt');
    await client.heard.until((each) => each.resourceId === seen);
    expect(client.heard.resources).toEqual([seen]);
  });

  it('tell an event once to who is in several that show it', async () => {
    const { ids, owner } = estate;
    const client = await connect({ token: owner.accessToken });
    await client.subscribe([`organization:${ids.organization}`, `team:${ids.team}`, `project:${ids.project}`]);
    await client.subscribe([`user:${owner.user.id}`, `tenant:${ids.tenant}`]);
    const [first, last] = [
      await upload(fresh(), estate.tenantKey),
      await upload(fresh(), owner.accessToken, { projectId: ids.project }),
    ];
    await client.heard.until((each) => each.resourceId === last);
    expect(client.heard.resources).toEqual([first, last]);
  });
});

describe('what was missed', () => {
  it('is told after a reconnect, once, in the order of each file', async () => {
    const rooms = [`project:${estate.ids.project}`];
    const before = await connect({ token: estate.key });
    await before.subscribe(rooms);
    const first = await upload(fresh());
    await before.heard.until((each) => each.resourceId === first);
    const { cursor, events } = before.heard;
    before.close();
    for (let at = 0; at < 5; at += 1) await rename(first, `${at}.md`);
    const many = await Promise.all(Array.from({ length: 250 }, () => upload(fresh())));
    for (const since of [cursor, events.at(-1)?.id]) {
      const after = await connect({ token: estate.key });
      const going = upload(fresh());
      expect(await after.subscribe(rooms, since)).toMatchObject({ success: true });
      await rename(first, 'last.md');
      const last = await going;
      await after.heard.until((each) => each.resourceId === last);
      await after.heard.until((each) => each.resourceId === first && each.data.name === 'last.md');
      const ids = after.heard.events.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(after.heard.resources).toEqual(expect.arrayContaining(many));
      const names = after.heard.events.filter(({ resourceId }) => resourceId === first).map(({ data }) => data.name);
      expect(names.slice(0, 5)).toEqual(['0.md', '1.md', '2.md', '3.md', '4.md']);
      after.close();
    }
  });

  it('is told from the cursor that joining gave, without an event', async () => {
    const rooms = [`project:${estate.ids.project}`];
    const before = await connect({ token: estate.key });
    const since = (await before.subscribe(rooms)).data?.cursor;
    before.close();
    const missed = await upload(fresh());
    const after = await connect({ token: estate.key });
    await after.subscribe(rooms, since);
    expect(after.heard.resources).toEqual([missed]);
  });

  it('is told no one who may not see it, and "since" tells nothing of the events of others', async () => {
    const theirs = await connect({ token: other.key });
    const since = (await theirs.subscribe([`project:${other.ids.project}`])).data?.cursor;
    const hidden = await upload(fresh());
    const own = await upload(fresh(), other.key);
    const again = await connect({ token: other.key });
    await again.subscribe([`project:${other.ids.project}`], since);
    expect(again.heard.resources).toEqual([own]);
    const list = await server.api<{ items: { id: string }[] }>('GET', '/events', {
      key: estate.key,
      query: { resourceId: hidden },
    });
    const foreign = list.data.items[0]?.id ?? '';
    const refused = await again.subscribe([`project:${other.ids.project}`], foreign);
    const missing = await again.subscribe([`project:${other.ids.project}`], `evt_${'0'.repeat(26)}`);
    expect([refused.error, refused.message]).toEqual(['invalid_request', missing.message]);
    expect(await again.subscribe([`project:${other.ids.project}`], 'nonsense')).toMatchObject({
      error: 'invalid_request',
    });
  });
});

describe('rights that end', () => {
  it('end the connection: of a key that is revoked, by every door', async () => {
    const json = { projectId: estate.ids.project, name: 'x', permissions: ['files:read'] };
    const made = expectData(await estate.owner.call<{ id: string; key: string }>('POST', '/api-keys', { json }), 201);
    const client = await connect({ token: made.key });
    await client.subscribe([`project:${estate.ids.project}`]);
    const source = await stream('', made.key);
    const operation = followOperation(server.url, estate.ids.upload, { headers: { 'x-api-key': made.key } });
    await until(() => operation.messages.length > 0);
    const gone = new Promise((resolve) => client.socket.once('disconnect', resolve));
    await estate.owner.call('DELETE', `/api-keys/${made.id}`);
    expect(await within(5_000, 'the end of the socket', gone)).toBe('io server disconnect');
    expect(client.heard.closings).toMatchObject([{ error: 'unauthenticated' }]);
    await within(5_000, 'the end of the stream', source.ended);
    expect(source.heard.closings).toMatchObject([{ error: 'unauthenticated' }]);
    expect(await within(5_000, 'the end of the operation', operation.ended)).toEqual({ code: 1008 });
  });

  it('end the connection of a session that is revoked', async () => {
    const person = await register(server);
    const client = await connect({ token: person.accessToken });
    const gone = new Promise((resolve) => client.socket.once('disconnect', resolve));
    await person.call('DELETE', `/auth/sessions/${person.sessionId}`);
    expect(await within(5_000, 'the end of the socket', gone)).toBe('io server disconnect');
  });

  it('end the stay in a room: of a member who is removed, and of a role that is lowered', async () => {
    const { owner, ids } = estate;
    const leaver = await join(server, owner, ids.organization, 'admin');
    const client = await connect({ token: leaver.accessToken });
    const rooms = [`organization:${ids.organization}`, `project:${ids.project}`];
    expect(await client.subscribe(rooms)).toMatchObject({ success: true });
    await owner.call('PATCH', `/organizations/${ids.organization}/members/${leaver.user.id}`, {
      json: { role: 'member' },
    });
    await until(() => client.heard.left.length === 2, { what: 'both rooms to be left' });
    expect(client.heard.left.map(({ error }) => error).sort()).toEqual(['forbidden', 'not_found']);
    const [seen, before] = [await upload(fresh()), client.heard.resources.length];
    const watcher = await connect({ token: estate.key });
    await watcher.subscribe([`project:${ids.project}`], undefined);
    const last = await upload(fresh());
    await watcher.heard.until((each) => each.resourceId === last);
    expect(client.heard.resources.slice(before)).not.toContain(seen);
    expect(client.heard.resources).not.toContain(last);
  });
});

describe('Server-Sent Events', () => {
  it('tell what happens, and what was missed', async () => {
    const opened = await stream('', estate.key);
    expect(opened.status).toBe(200);
    const first = await upload(fresh());
    await opened.heard.until((each) => each.resourceId === first);
    opened.close();
    const missed = await upload(fresh());
    const again = await stream(`projectId=${estate.ids.project}`, estate.owner.accessToken, {
      'last-event-id': opened.heard.cursor ?? '',
    });
    await again.heard.until((each) => each.resourceId === missed);
    const last = await upload(fresh());
    await again.heard.until((each) => each.resourceId === last);
    expect(again.heard.resources).toEqual([missed, last]);
  });

  it('refuse what they cannot show', async () => {
    const { owner, key } = estate;
    expect((await stream(`projectId=${other.ids.project}`, owner.accessToken)).body).toMatchObject({
      error: 'not_found',
    });
    expect((await stream(`projectId=${other.ids.project}`, key)).status).toBe(404);
    expect((await stream('', owner.accessToken)).body).toMatchObject({ error: 'invalid_request' });
    expect((await stream('since=x', key)).body).toMatchObject({ error: 'invalid_request' });
    expect((await stream('rooms=x', key)).body).toMatchObject({ error: 'invalid_request' });
    expect((await openEventStream(`${server.url}/api/v1/events/stream`, {})).status).toBe(401);
  });
});

describe('progress', () => {
  const tus = (path: string, init: RequestInit & { headers: Record<string, string> }) =>
    server.request(path, {
      ...init,
      headers: { authorization: `Bearer ${estate.key}`, 'tus-resumable': '1.0.0', ...init.headers },
    });

  /** The types of what was told of an upload, in order. */
  async function uploadEvents(id: string): Promise<string[]> {
    const query = { resourceId: id };
    const page = await server.api<{ items: { type: string }[] }>('GET', '/events', { key: estate.key, query });
    return expectData(page)
      .items.map(({ type }) => type)
      .reverse();
  }

  async function begin(size: number): Promise<{ id: string; address: string }> {
    const path = Buffer.from(fresh('bin')).toString('base64');
    const created = await tus('/api/v1/tus', {
      method: 'POST',
      headers: { 'upload-length': String(size), 'upload-metadata': `path ${path}` },
    });
    const address = new URL(created.headers.get('location') ?? '', server.url).pathname;
    return { id: address.split('/').at(-1) ?? '', address };
  }

  it('of an upload is told by every door, to the end', async () => {
    const size = 4 * 1024 * 1024;
    const { id, address } = await begin(size);
    const plain = followOperation(server.url, id, { headers: { 'x-api-key': estate.key } });
    const client = await connect({ token: estate.key });
    expect(await client.subscribe([`upload:${id}`, `operation:${id}`])).toMatchObject({ success: true });
    const source = await stream(`rooms=upload:${id}`, estate.key);
    await until(() => plain.messages.length > 0 && client.heard.progress.length > 0);
    expect(plain.messages[0]).toEqual({ id, status: 'processing', progress: 0, bytes: { done: 0, total: size } });
    for (let offset = 0; offset < size; offset += size / 4) {
      const answer = await tus(address, {
        method: 'PATCH',
        headers: { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
        body: new Uint8Array(size / 4),
      });
      expect(answer.status).toBe(204);
    }
    expect(await within(10_000, 'the end', plain.ended)).toEqual({ code: 1000 });
    const end = { id, status: 'completed', progress: 100, bytes: { done: size, total: size } };
    for (const progress of [plain.messages, client.heard.progress, source.heard.progress]) {
      await until(() => progress.at(-1)?.status === 'completed');
      expect(progress.at(-1)).toEqual(end);
      const percents = progress.map((each) => each.progress);
      expect(percents).toEqual([...percents].sort((a, b) => a - b));
    }
    const late = followOperation(server.url, id, { protocols: ['carcosa', `carcosa.bearer.${estate.key}`] });
    expect(await within(10_000, 'the end', late.ended)).toEqual({ code: 1000 });
    expect(late.messages).toEqual([end]);
    const file = await source.heard.until((each) => each.type === 'file.created' && each.data.uploadId === id);
    const completed = await source.heard.until((each) => each.type === 'upload.completed');
    expect(completed).toMatchObject({ resourceId: id, data: { id, fileId: file.resourceId, size, door: 'tus' } });
    expect(await uploadEvents(id)).toEqual(['upload.created', 'upload.completed']);
  });

  it('of an upload that is given up ends so', async () => {
    const { id, address } = await begin(100);
    const plain = followOperation(server.url, id, { headers: { authorization: `Bearer ${estate.key}` } });
    await until(() => plain.messages.length > 0);
    await tus(address, { method: 'DELETE', headers: {} });
    await plain.ended;
    expect(plain.messages.at(-1)).toMatchObject({ id, status: 'cancelled' });
    expect(await uploadEvents(id)).toEqual(['upload.created', 'upload.aborted']);
  });

  it('of what is another’s, or is not there, or without a WebSocket: refused', async () => {
    const { id } = await begin(100);
    const headers = { 'x-api-key': other.key };
    expect(await followOperation(server.url, id, { headers }).ended).toEqual({ refused: 404 });
    expect(await followOperation(server.url, 'nothing', { headers }).ended).toEqual({ refused: 404 });
    expect(await followOperation(server.url, id).ended).toEqual({ refused: 401 });
    const plain = await server.request(`/ws/operations/${id}`, { headers: { 'x-api-key': estate.key } });
    expect([plain.status, await plain.json()]).toMatchObject([400, { error: 'invalid_request' }]);
  });
});

import { setImmediate as turn } from 'node:timers/promises';
import { transaction } from '@carcosa/database';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until, within } from '../../support/clock.ts';
import { seededRandom } from '../../support/random.ts';
import { connectSocket, followOperation, Heard, type SocketClient } from '../../support/realtime.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { WebhookWorld } from '../events/support.ts';

describe.each(['with', 'without'])('two nodes on one database, %s Redis', (redisOrNot) => {
  let world: WebhookWorld;
  let redis: TestRedis | undefined;
  let key: string;
  const clients: { close(): void }[] = [];

  beforeAll(async () => {
    redis = redisOrNot === 'with' ? await startRedis() : undefined;
    const env: Record<string, string> = redis ? { REDIS_URL: redis.url } : {};
    world = await WebhookWorld.open({ kind: 'postgres', sends: false, env });
    await world.addNode();
    key = await newKey();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(async () => {
    await world.close();
    await redis?.close();
  });

  const newKey = async (): Promise<string> => {
    const input = { projectId: world.projectId, label: 'test', permissions: ['admin' as const], limitFactor: 1000 };
    return (await world.node.carcosa.apiKeys.create(input)).token;
  };
  const urlOf = (at: number): string => world.nodes[at]?.url ?? '';
  const room = (): string[] => [`project:${world.projectId}`];

  async function connect(at: number, token = key): Promise<SocketClient> {
    const client = connectSocket(urlOf(at), { token });
    clients.push(client);
    expect(await client.connected).toBeNull();
    return client;
  }

  it('an event that is written at one is told at both', async () => {
    const both = [await connect(0), await connect(1)];
    for (const client of both) expect(await client.subscribe(room())).toMatchObject({ success: true });
    await world.happen(['at both']);
    for (const { heard } of both) await heard.until(({ resourceId }) => resourceId === 'at both');
  });

  it('a client that moves between them is told each event once, in the order of each file, whatever is committed when', async () => {
    const random = seededRandom();
    const heard = new Heard();
    const staying = await connect(0);
    // Before anything is written: what comes before it the one who moves is not told.
    const start = (await staying.subscribe(room())).data?.cursor;
    const resources = Array.from({ length: 12 }, (_, at) => `moves ${at}`);
    const written = new Map<string, number[]>(resources.map((id) => [id, []]));
    let isWriting = true;

    /** Transactions of a file come one after the other, those of different files overlap; some are rolled back. */
    const write = async (id: string): Promise<void> => {
      for (let index = 0; index < 25; index += 1) {
        const isKept = random.integer(0, 5) > 0;
        await transaction(world.pool, async (tx) => {
          await world.happen([id], tx, index);
          if (random.integer(0, 3) === 0) await tx.query('select pg_sleep($1)', [random.integer(0, 120) / 1000]);
          if (!isKept) throw new Error('rolled back');
        }).catch((error: Error) => {
          if (error.message !== 'rolled back') throw error;
        });
        if (isKept) written.get(id)?.push(index);
      }
    };
    const move = async (): Promise<void> => {
      let since = start;
      for (let at = 1; isWriting || at < 4; at += 1) {
        const client = await connect(at % 2);
        client.socket.on('event', (event, cursor) => heard.event(event, cursor));
        const answer = await client.subscribe(room(), since);
        expect(answer).toMatchObject({ success: true });
        const before = heard.events.length;
        await until(() => heard.events.length > before + 3 || !isWriting, { within: 20_000 });
        client.close();
        since = heard.cursor ?? answer.data?.cursor;
        await turn();
      }
      const last = await connect(0);
      last.socket.on('event', (event, cursor) => heard.event(event, cursor));
      await last.subscribe(room(), since);
    };
    const moving = move();
    await Promise.all(resources.map(write));
    isWriting = false;
    await moving;
    const total = [...written.values()].flat().length;
    for (const told of [heard, staying.heard]) {
      const ours = () => told.events.filter(({ resourceId }) => resourceId?.startsWith('moves'));
      await until(() => ours().length >= total, { what: `${total} events` });
      expect(new Set(told.events.map(({ id }) => id)).size).toBe(told.events.length);
      for (const id of resources) {
        const indexes = ours()
          .filter(({ resourceId }) => resourceId === id)
          .map(({ data }) => data.index);
        expect(indexes, id).toEqual(written.get(id));
      }
    }
  });

  it('what is committed long after a later event is told nevertheless, also to who has a cursor from in between', async () => {
    const client = await connect(0);
    await client.subscribe(room());
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { promise: taken, resolve: took } = Promise.withResolvers<void>();
    const late = transaction(world.pool, async (tx) => {
      await world.happen(['late'], tx);
      took();
      await held;
    });
    await taken;
    await world.happen(['early']);
    await client.heard.until(({ resourceId }) => resourceId === 'early');
    const { cursor } = client.heard;
    client.close();
    release();
    await late;
    const other = await connect(1);
    await other.subscribe(room(), cursor);
    expect(other.heard.resources).toEqual(['late']);
  });

  it('progress is told at the other one', async () => {
    const begun = await fetch(`${urlOf(0)}/api/v1/tus`, {
      method: 'POST',
      headers: {
        ...{ 'x-api-key': key, 'tus-resumable': '1.0.0', 'upload-length': '40' },
        'upload-metadata': `path ${Buffer.from(`progress/${redisOrNot}.bin`).toString('base64')}`,
      },
    });
    const address = new URL(begun.headers.get('location') ?? '', urlOf(0)).pathname;
    const follow = async (steps: number) => {
      const followed = followOperation(urlOf(1), address.split('/').at(-1) ?? '', { headers: { 'x-api-key': key } });
      clients.push(followed);
      await until(() => followed.messages.length >= steps);
      return followed;
    };
    const followed = await follow(1);
    const send = (offset: number) =>
      fetch(`${urlOf(0)}${address}`, {
        method: 'PATCH',
        headers: {
          ...{ 'x-api-key': key, 'tus-resumable': '1.0.0', 'upload-offset': String(offset) },
          'content-type': 'application/offset+octet-stream',
        },
        body: new Uint8Array(20),
      });
    await send(0);
    await until(() => followed.messages.some(({ progress }) => progress === 50), { what: 'half of it' });
    // Whoever has lost Redis is told by the database.
    await redis?.kill();
    await send(20);
    expect(await within(15_000, 'the end', followed.ended)).toEqual({ code: 1000 });
    expect(followed.messages.at(-1)).toMatchObject({ status: 'completed', progress: 100 });
    await redis?.start();
  });

  it('a key that is revoked at one ends connections at the other', async () => {
    const { carcosa } = world.node;
    const made = await carcosa.apiKeys.create({ projectId: world.projectId, label: 'x', permissions: ['files:read'] });
    const client = await connect(1, made.token);
    const gone = new Promise((resolve) => client.socket.once('disconnect', resolve));
    await carcosa.apiKeys.revoke(made.id);
    expect(await within(5_000, 'the end', gone)).toBe('io server disconnect');
  });

  it('a database that drops all connections is looked at again, and nothing is missed', async () => {
    const both = [await connect(0), await connect(1)];
    for (const client of both) await client.subscribe(room());
    for (let round = 0; round < 3; round += 1) {
      await world.happen([`dropped ${round}`]);
      await world.db.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      await until(() =>
        world.happen([`again ${round}`]).then(
          () => true,
          () => false,
        ),
      );
    }
    for (const { heard } of both) {
      await heard.until(({ resourceId }) => resourceId === 'again 2');
      const ours = heard.resources.filter((id) => /^(dropped|again)/.test(id ?? ''));
      expect(ours).toEqual([0, 1, 2].flatMap((round) => [`dropped ${round}`, `again ${round}`]));
    }
  });
});

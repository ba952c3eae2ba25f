import { connect, createServer, type Socket } from 'node:net';
import { silentLogger } from '@carcosa/kernel';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../../../tests/support/database.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import type { Database } from './open-database.ts';

describe.each(databaseKinds())('a listener on %s', (kind) => {
  let database: Database;
  let listener: Listener;
  beforeAll(async () => {
    database = await createTestDatabase({ kind, isEmpty: true });
  });
  afterEach(() => listener.close());
  afterAll(() => database.close());

  const listen = (options: Partial<ListenerOptions> = {}) => {
    listener = new Listener({ connectionString: database.connectionString, logger: silentLogger, ...options });
    return listener;
  };
  const recorder = () => ({ notified: vi.fn(), missed: vi.fn() });
  const notify = (channel: string, payload: string) =>
    database.pool.query('select pg_notify($1, $2)', [channel, payload]);
  const endListeners = () =>
    database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`,
    );

  it('hears what is notified, parsed, on its channels only', async () => {
    const [one, other] = [recorder(), recorder()];
    await listen().subscribe('one', one);
    await listener.subscribe('Other "name"', other);
    await notify('one', '{"id":1}');
    await notify('nobody', '1');
    await notify('Other "name"', '');
    await vi.waitFor(() => expect(other.notified.mock.calls).toEqual([[undefined]]));
    expect(one.notified.mock.calls).toEqual([[{ id: 1 }]]);
    expect(one.missed).not.toHaveBeenCalled();
  });

  it('ignores what is not JSON, and the fault of one subscriber', async () => {
    const good = recorder();
    await listen().subscribe('c', {
      notified: () => {
        throw new Error('a fault of the subscriber');
      },
    });
    await listener.subscribe('c', good);
    await notify('c', '{broken');
    await notify('c', '2');
    await vi.waitFor(() => expect(good.notified.mock.calls).toEqual([[2]]));
  });

  it('hears nothing after the end of its subscription', async () => {
    const [first, second] = [recorder(), recorder()];
    const end = await listen().subscribe('c', first);
    await listener.subscribe('d', second);
    await end();
    await notify('c', '1');
    await notify('d', '1');
    await vi.waitFor(() => expect(second.notified).toHaveBeenCalled());
    expect(first.notified).not.toHaveBeenCalled();
  });

  it('comes back when its connection is ended, and says that something may be missed', async () => {
    const subscriber = recorder();
    await listen().subscribe('c', subscriber);
    await endListeners();
    await vi.waitFor(() => expect(subscriber.missed).toHaveBeenCalledTimes(1));
    await notify('c', '3');
    await vi.waitFor(() => expect(subscriber.notified.mock.calls).toEqual([[3]]));
  });

  it('subscribes while the server is away, and hears when it is there', async () => {
    const door = await openDoor(database.connectionString);
    door.refuse = true;
    const subscriber = recorder();
    await listen({ connectionString: door.address }).subscribe('c', subscriber);
    door.refuse = false;
    await vi.waitFor(() => expect(subscriber.missed).toHaveBeenCalled());
    await notify('c', '4');
    await vi.waitFor(() => expect(subscriber.notified.mock.calls).toEqual([[4]]));
    await listener.close();
    await door.close();
  });

  it('notices a server that vanished without a word', async () => {
    const door = await openDoor(database.connectionString);
    const subscriber = recorder();
    await listen({ connectionString: door.address, checkInterval: 20, checkTimeout: 100 }).subscribe('c', subscriber);
    door.freeze();
    await vi.waitFor(() => expect(subscriber.missed).toHaveBeenCalled());
    await notify('c', '5');
    await vi.waitFor(() => expect(subscriber.notified.mock.calls).toEqual([[5]]));
    await listener.close();
    await door.close();
  });
});

/** A way to the server that can be closed, and frozen as a cable is that was pulled. */
async function openDoor(connectionString: string) {
  const socketPath = `${new URL(connectionString.replace('@/', '@host/')).searchParams.get('host')}/.s.PGSQL.5432`;
  const pairs = new Set<[Socket, Socket]>();
  const state = { refuse: false };
  const server = createServer((socket) => {
    if (state.refuse) return socket.destroy();
    const inner = connect(socketPath);
    for (const end of [socket, inner]) end.on('error', () => {});
    socket.pipe(inner).pipe(socket);
    return pairs.add([socket, inner]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return Object.assign(state, {
    address: connectionString.replace('@/', `@127.0.0.1:${port}/`).replace(/\?.*$/, ''),
    freeze: () => {
      for (const [socket, inner] of pairs) {
        socket.unpipe();
        inner.unpipe();
      }
    },
    close: () => {
      for (const pair of pairs) for (const end of pair) end.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  });
}

import { createServer, type Socket } from 'node:net';
import { silentLogger } from '@carcosa/kernel';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../../../tests/support/database.ts';
import { openDatabase } from './open-database.ts';

const open = (url: string) => openDatabase({ url, directory: '/nowhere', logger: silentLogger });

describe.each(databaseKinds())('opening %s by its address', (kind) => {
  it('gives a pool, Drizzle and the address for others', async () => {
    const database = await createTestDatabase({ kind });
    expect(database).toMatchObject({ kind: 'postgres', connectionString: expect.stringMatching(/^postgres:/) });
    const { rows } = await database.pool.query(
      `select current_setting('application_name') as name, current_setting('statement_timeout') as timeout, 9007199254740991::bigint as big, count(*) as count from files`,
    );
    expect(rows).toEqual([{ name: 'carcosa', timeout: '30s', big: 9_007_199_254_740_991, count: 0 }]);
    expect((await database.db.execute('select 5::bigint as big')).rows).toEqual([{ big: 5 }]);
    await database.close();
    await expect(open(database.connectionString)).rejects.toMatchObject({
      message: expect.stringMatching(/has no such database: create it/),
    });
  });

  it('says in one line what is wrong, without the password', async () => {
    const database = await createTestDatabase({ kind, isEmpty: true });
    const wrong = database.connectionString.replace(/:[^:@]+@/, ':se%20cret@');
    const error = await open(wrong).catch((caught: Error) => caught);
    expect(error).toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(
        /^The database at \S+ \(test_\d+\) does not accept the password: correct it in DATABASE_URL\.$/,
      ),
    });
    expect(String(error)).not.toMatch(/se(%20| )cret/);
    await database.close();
  });
});

describe('an address where no usable server is', () => {
  it.each([
    [
      'postgres://carcosa:secret@127.0.0.1:1/media',
      'The database at 127.0.0.1:1/media does not answer: start it, or correct DATABASE_URL.',
    ],
    [
      'postgres://carcosa:secret@/media?host=/nowhere',
      'The database at /nowhere (media) does not answer: start it, or correct DATABASE_URL.',
    ],
  ])('%s', async (url, message) => {
    await expect(open(url)).rejects.toMatchObject({ code: 'database_unavailable', message });
  });

  it('whose name nobody knows', async () => {
    await expect(open('postgres://carcosa:secret@nobody.invalid/media')).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(/^The database at nobody.invalid:5432\/media cannot be found: .*DATABASE_URL\.$/),
    });
  });

  it('that is not an address at all', async () => {
    await expect(open('postgres://[broken')).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/^DATABASE_URL/),
    });
  });
});

describe('a server that we cannot use', () => {
  const sockets = new Set<Socket>();
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
  });

  /** A server that answers every question with one row: what old servers and replicas say cannot be had from ours. */
  async function pretend(version: string, isReplica: string): Promise<string> {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once('data', () => {
        socket.write(message('R', Buffer.from([0, 0, 0, 0])));
        socket.write(READY);
        socket.on('data', () => socket.write(oneRow(['version', 'is_replica'], [version, isReplica])));
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.unref();
    return `postgres://a:b@127.0.0.1:${(server.address() as { port: number }).port}/c`;
  }

  it('because it is too old', async () => {
    await expect(open(await pretend('140012', 'f'))).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/^The server at DATABASE_URL is PostgreSQL 14; Carcosa needs 15 or later: /),
    });
  });

  it('because it can only be read', async () => {
    await expect(open(await pretend('170001', 't'))).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: expect.stringMatching(/replica/),
    });
  });
});

/** Messages of the protocol (PostgreSQL's manual, 54.7): a letter, the length with itself, the content. */
function message(type: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(type), length, content]);
}

const READY = message('Z', Buffer.from('I'));

function oneRow(names: string[], values: string[]): Buffer {
  const count = Buffer.from([0, names.length]);
  // Name, no table, no column, type text (25), any length, no modifier, in text.
  const fields = names.map((name) =>
    Buffer.concat([
      Buffer.from(`${name}\0`),
      Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0]),
    ]),
  );
  const columns = values.map((value) => Buffer.concat([Buffer.from([0, 0, 0, value.length]), Buffer.from(value)]));
  return Buffer.concat([
    message('T', Buffer.concat([count, ...fields])),
    message('D', Buffer.concat([count, ...columns])),
    message('C', Buffer.from('SELECT 1\0')),
    READY,
  ]);
}

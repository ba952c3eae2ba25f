import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until, within } from '../support/clock.ts';
import { CRASH_DOORS, type Entry, expectNothingLost, newEntry, upload } from '../support/crash-ledger.ts';
import { threePartSize } from '../support/direct.ts';
import { databaseFolders } from '../support/embedded-database.ts';
import { expectIntact, postRaw, put, serve } from '../support/files.ts';
import { type Postgres, postgresBinaries, startPostgres } from '../support/postgres.ts';
import { seededRandom } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import { tus, tusCreate, tusOffset, tusPatch } from '../support/tus.ts';

if (!postgresBinaries()) console.warn('database stopped: skipped, since no PostgreSQL is installed');

/** Every request is answered within this, however long the database is away. */
const ANSWERED_WITHIN_MS = 20_000;
const isReady = async (server: Server): Promise<boolean> => (await server.request('/ready')).status === 200;

describe.skipIf(!postgresBinaries())('a database that is stopped and started again', () => {
  let postgres: Postgres;
  let server: Server;
  let multipartSize: number;
  beforeAll(async () => {
    postgres = await startPostgres();
    server = await startServer({ env: { DATABASE_URL: postgres.url } });
    multipartSize = await threePartSize(server);
  });
  afterAll(async () => {
    await server?.stop();
    await postgres?.remove();
  });

  it.each(['fast', 'immediate'] as const)(
    '(%s) is told as 503 in the envelope, and all is well when it is back',
    async (mode) => {
      const file = await put(server, 'before', { path: `before-${mode}` });
      const address = await tusCreate(server, 10, { filename: 'x', path: `tus-${mode}` });
      expect((await tusPatch(server, address, 0, Buffer.from('01234'))).status).toBe(204);
      await postgres.stop(mode);
      try {
        const list = await within(ANSWERED_WITHIN_MS, 'the list', server.api('GET', '/files'));
        expect(list.status).toBe(503);
        expect((list.body as { error: string }).error).toBe('database_unavailable');
        expect((await within(ANSWERED_WITHIN_MS, 'an upload', postRaw(server, 'x', { path: 'during' }))).status).toBe(
          503,
        );
        expect(
          (await within(ANSWERED_WITHIN_MS, 'a PATCH', tusPatch(server, address, 5, Buffer.from('56789')))).status,
        ).toBe(503);
        expect((await within(ANSWERED_WITHIN_MS, 'HEAD', tus(server, 'HEAD', address))).status).toBe(503);
        expect(
          (await within(ANSWERED_WITHIN_MS, '/f', serve(server, `/f/${file.key}?nocache`))).status,
          'from a cache, or not for now',
        ).not.toBe(404);
        expect((await server.request('/health')).status, 'the process itself is alive').toBeLessThan(504);
        expect(server.running).toBe(true);
      } finally {
        await postgres.start();
      }
      await until(() => isReady(server), { within: 30_000, what: '/ready' });
      await expectIntact(server, file, Buffer.from('before'));
      const offset = await tusOffset(server, address);
      expect(offset).toBeGreaterThanOrEqual(5);
      if (offset < 10)
        expect((await tusPatch(server, address, offset, Buffer.from('0123456789').subarray(offset))).status).toBe(204);
      await put(server, 'after', { path: `after-${mode}` });
      expect((await server.api('GET', '/files')).status).toBe(200);
    },
  );

  it('takes /ready back until it is there again', async () => {
    await postgres.stop('fast');
    try {
      await until(async () => (await server.request('/ready')).status === 503, { what: '/ready to say no' });
    } finally {
      await postgres.start();
    }
    await until(() => isReady(server), { within: 30_000, what: '/ready' });
  });

  it.each([1, 2, 3])(
    'in the middle of uploads by every door loses nothing that was acknowledged (round %i)',
    async (round) => {
      const random = seededRandom();
      const folder = `round-${round}`;
      const entries: Entry[] = [];
      let over = false;
      const client = async (door: (typeof CRASH_DOORS)[number], client_: number): Promise<void> => {
        for (let index = 0; !over; index += 1) {
          const entry = newEntry(
            door,
            `${folder}/${door}-${client_}-${index}`,
            door === 'parts' ? multipartSize : random.integer(0, 400_000),
          );
          entries.push(entry);
          // What the server answers while the database is away is an error; that is all a client can expect.
          await upload(server, entry).catch(() => {});
        }
      };
      const clients = CRASH_DOORS.flatMap((door) => [client(door, 0), client(door, 1)]);
      const acknowledged = (): number => entries.filter(({ done }) => done).length;
      const moment = random.integer(3, 20);
      await until(() => acknowledged() >= moment, { what: 'some uploads' });
      await postgres.stop(random.pick(['fast', 'immediate'] as const));
      over = true;
      try {
        await within(60_000, 'the end of all clients', Promise.all(clients));
        expect(server.running, `seed ${random.seed}: ${server.logs.slice(-3000)}`).toBe(true);
      } finally {
        await postgres.start();
      }
      await until(() => isReady(server), { within: 30_000, what: '/ready' });
      await expectNothingLost(server, entries, folder);
    },
  );

  it('is not there at the start of an upload and comes back before its end', async () => {
    const entry = newEntry('raw', 'comes-back', 100_000);
    await postgres.stop('fast');
    try {
      const again = postRaw(server, entry.bytes, { path: entry.path });
      expect((await within(ANSWERED_WITHIN_MS, 'the first try', again)).status).toBe(503);
    } finally {
      await postgres.start();
    }
    await until(async () => (await postRaw(server, entry.bytes, { path: entry.path })).status === 201, {
      within: 30_000,
      what: 'a later try',
    });
    entry.done = true;
    await expectNothingLost(server, [entry], '');
  });
});

describe('an embedded database that dies', () => {
  it('is started again by the server, which lives on', async () => {
    const server = await startServer({ env: { DATABASE_URL: undefined } });
    try {
      const file = await put(server, 'before', { path: 'before' });
      const [folder] = await databaseFolders(server.dataDir);
      const pid = Number((await readFile(path.join(folder as string, 'postmaster.pid'), 'utf8')).split('\n')[0]);
      process.kill(pid, 'SIGKILL');
      await until(async () => (await server.api('GET', '/files')).status === 200, {
        within: 60_000,
        what: 'the database',
      });
      await expectIntact(server, file, Buffer.from('before'));
      await put(server, 'after', { path: 'after' });
      expect(server.running).toBe(true);
    } finally {
      await server.stop();
    }
  });
});

import { Upload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bucketFiles, expectNothingUnreferenced } from '../support/bucket-on-disk.ts';
import { until } from '../support/clock.ts';
import { CRASH_DOORS, expectNothingLost, newEntry, upload, uploadUntilOver } from '../support/crash-ledger.ts';
import { threePartSize } from '../support/direct.ts';
import { expectIntact, findByPath } from '../support/files.ts';
import { spawnServer } from '../support/process.ts';
import { patternBytes, seededRandom } from '../support/random.ts';
import { rawConnect, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
let multipartSize: number;
beforeAll(async () => {
  server = await startServer();
  multipartSize = await threePartSize(server);
});
afterAll(() => server.stop());

/** Uploads through all doors at once, two clients a door, and kills the server after `afterMs`. */
async function killAndRestart(afterMs: number, folder: string, random = seededRandom()): Promise<void> {
  let over = false;
  const run = { folder, random, multipartSize, isOver: () => over };
  const clients = CRASH_DOORS.flatMap((door) => [door, door]);
  const uploads = clients.map((door, index) => uploadUntilOver(server, door, { ...run, folder: `${folder}/${index}` }));
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  over = true;
  expect(await server.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  const entries = await Promise.all(uploads);
  await server.restart();
  expect(entries.flat().length).toBeGreaterThan(0);
  await expectNothingLost(server, entries.flat(), folder);
}

describe('kill -9 at a random moment of uploads by every door', () => {
  const rounds = Number(process.env.CARCOSA_TEST_KILLS ?? 4);
  it.each(Array.from({ length: rounds }, (_, index) => index + 1))(
    'loses nothing that was acknowledged (round %i)',
    async (round) => {
      const random = seededRandom();
      const afterMs = random.integer(5, 700);
      try {
        await killAndRestart(afterMs, `kill-${round}`, random);
      } catch (error) {
        throw new Error(`with CARCOSA_TEST_SEED=${random.seed}, killed after ${afterMs} ms: ${error}`, {
          cause: error,
        });
      }
    },
  );

  it('of its start, several times, keeps all that was there', async () => {
    const random = seededRandom();
    const entries = CRASH_DOORS.map((door) =>
      newEntry(door, `start/${door}`, door === 'parts' ? multipartSize : 50_000),
    );
    for (const entry of entries) await upload(server, entry);
    await server.kill('SIGKILL');
    for (let round = 0; round < 5; round += 1) {
      const starting = spawnServer(server.env);
      await new Promise((resolve) => setTimeout(resolve, random.integer(50, 1200)));
      starting.signal('SIGKILL');
      await starting.exited;
    }
    await server.restart();
    await expectNothingLost(server, entries, 'start');
  });

  it('leaves nothing that one collection after the restart does not remove', async () => {
    const connections = await Promise.all(
      [1, 2, 3].map(async (index) => {
        const connection = await rawConnect(server.url);
        const headers = { 'x-api-key': server.apiKey, 'content-length': 5_000_000 };
        await connection.write(requestHead('POST', `/api/v1/files?path=abandoned/${index}`, headers));
        await connection.write(Buffer.alloc(2_000_000, index));
        return connection;
      }),
    );
    await until(async () => (await bucketFiles(server)).staged.length >= 3, { what: 'the staged files' });
    await server.restart({ signal: 'SIGKILL' });
    for (const connection of connections) connection.destroy();
    // Nobody can go on with a simple upload: with its process its bytes are waste.
    await expectNothingUnreferenced(server);
  });

  it('is survived by tus-js-client with the delays that it has by default', async () => {
    const bytes = patternBytes('default delays', 6_000_000);
    let kills = 0;
    let restarted: Promise<void> | undefined;
    await new Promise<void>((resolve, reject) => {
      const client: Upload = new Upload(bytes, {
        endpoint: `${server.url}/api/v1/tus`,
        chunkSize: 1_000_000,
        headers: { authorization: `Bearer ${server.apiKey}` },
        metadata: { filename: 'x', path: 'default-delays' },
        onProgress: (sent) => {
          // In the middle of a PATCH, with its writer at work.
          if (kills > 0 || sent < 2_500_000) return;
          kills += 1;
          restarted = server.restart({ signal: 'SIGKILL' });
        },
        onSuccess: () => resolve(),
        onError: reject,
      });
      client.start();
    }).finally(() => restarted);
    expect(kills).toBe(1);
    await expectIntact(server, (await findByPath(server, 'default-delays')) as FileInfo, bytes);
  });
});

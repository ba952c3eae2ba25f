import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CRASH_DOORS, expectNothingLost, newEntry, upload, uploadUntilOver } from '../support/crash-ledger.ts';
import { threePartSize } from '../support/direct.ts';
import { spawnServer } from '../support/process.ts';
import { seededRandom } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';

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
  for (const [index, some] of entries.entries()) await expectNothingLost(server, some, `${folder}/${index}`);
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
        throw new Error(`with CARCOSA_TEST_SEED=${random.seed}, killed after ${afterMs} ms`, { cause: error });
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
});

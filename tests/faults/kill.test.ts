import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CRASH_DOORS, expectNothingLost, uploadUntilOver } from '../support/crash-ledger.ts';
import { threePartSize } from '../support/direct.ts';
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
  it.each(Array.from({ length: rounds }, (_, index) => index + 1))('loses nothing that was acknowledged (round %i)', async (round) => {
    const random = seededRandom();
    const afterMs = random.integer(5, 700);
    try {
      await killAndRestart(afterMs, `kill-${round}`, random);
    } catch (error) {
      throw new Error(`with CARCOSA_TEST_SEED=${random.seed}, killed after ${afterMs} ms`, { cause: error });
    }
  });

  it('again while it is starting', async () => {
    const entries = await Promise.all(
      CRASH_DOORS.map((door) => {
        let count = 0;
        return uploadUntilOver(server, door, { folder: `start/${door}`, random: seededRandom(), multipartSize, isOver: () => (count += 1) > 4 });
      }),
    );
    await server.kill('SIGKILL');
    // The port is still in its last state and the database of the killed one still runs: each start begins a little later.
    await server.restart();
    await server.restart({ signal: 'SIGKILL' });
    for (const [index, some] of entries.entries()) await expectNothingLost(server, some, `start/${CRASH_DOORS[index]}`);
  });
});

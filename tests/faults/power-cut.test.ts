import { rm, truncate } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bucketFiles, collect, expectNothingUnreferenced } from '../support/bucket-on-disk.ts';
import { expectNothingLost, newEntry, upload } from '../support/crash-ledger.ts';
import { findByPath } from '../support/files.ts';
import { seededRandom } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

/**
 * What a power cut may do to the files of a folder that were written just now, and not synced: their bytes, or their names, are gone. The database syncs each
 * commit, so it keeps what it said.
 */
async function loseFresh(folder: string, random: ReturnType<typeof seededRandom>): Promise<number> {
  const { objects } = await bucketFiles(server);
  let lost = 0;
  for (const { path, size } of objects.filter((file) => file.path.includes(`/${folder}/`))) {
    const fate = random.integer(0, 3);
    if (fate === 0) continue;
    lost += 1;
    if (fate === 1) await rm(path);
    else await truncate(path, fate === 2 ? 0 : Math.floor(size / 2));
  }
  return lost;
}

describe('a power cut right after small uploads were acknowledged', () => {
  it.each([1, 2, 3])('loses none of them, and brings back none that was purged (round %i)', async (round) => {
    const random = seededRandom();
    const folder = `cut-${round}`;
    const entries = Array.from({ length: 60 }, (_, index) =>
      newEntry('raw', `${folder}/${index}`, random.integer(0, 40_000)),
    );
    await Promise.all(entries.map((entry) => upload(server, entry)));
    const purged = entries.splice(0, 10);
    const items = await Promise.all(
      purged.map(async ({ path }) => ({ id: (await findByPath(server, path))?.id as string })),
    );
    await server.api('POST', '/files/bulk', { json: { action: 'purge', items } });
    await collect(server);
    await server.kill('SIGKILL');
    try {
      expect(await loseFresh(folder, random)).toBeGreaterThan(5);
      await server.restart();
      await expectNothingLost(server, entries, folder);
      await expectNothingUnreferenced(server, { patience: 60_000 });
    } catch (error) {
      throw new Error(`with CARCOSA_TEST_SEED=${random.seed}: ${error}`, { cause: error });
    }
  });
});

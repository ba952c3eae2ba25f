import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import { Carcosa, databaseConnection } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { wrk } from '../harness/clients.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';
import { seedFiles } from '../harness/seed.ts';
import type { ServerProcess } from '../harness/server-process.ts';
import { simpleUpload } from '../harness/uploads.ts';

export const name = 'list-1m';
export const what =
  'List 50 of 1,000,000 files, the first page and the 10,000th by its cursor, 16 connections by wrk. Ours checks key, ' +
  'permission and limit; the peer runs the query through the same driver with a pool of the same size and no more.';
export const reach = {
  first: { atLeastRatio: 0.5 },
  deep: { atLeastRatio: 0.5 },
  depth: { atLeastRatio: 0.8 },
} satisfies Record<string, Reach>;

const FILES = 1_000_000;
const PAGE = 50;
const DEEP_PAGE = 10_000;
const CONNECTIONS = 16;
const SECONDS = 4;
/** The default of our server. */
const POOL = 10;

const FIRST = 'Carcosa, first page';
const DEEP = 'Carcosa, page 10,000';
const BARE_FIRST = 'bare query, first page';
const BARE_DEEP = 'bare query, page 10,000';
const JSON_FIRST = 'bare query with JSON by PostgreSQL, first page';

type Item = { readonly id: string; readonly createdAt: string };
type Page = { readonly items: readonly Item[]; readonly nextCursor: string | null };

export async function run(bench: Bench): Promise<ClaimResult> {
  const program = await bench.program('wrk');
  if (program === null) throw new Error('wrk could not be had, and nothing else here loads a server that cheaply');
  const carcosa = await Carcosa.start(bench);
  await seed(bench, carcosa);
  const server = await bench.startPeer('list-query', {
    CONNECTION: JSON.stringify(databaseConnection(carcosa.dataDirectory)),
    PROJECT: carcosa.projectId,
    POOL: String(POOL),
  });
  const { cursor, last } = await walkTo(carcosa, DEEP_PAGE);
  const first = `/api/v1/files?limit=${PAGE}`;
  const deep = `${first}&cursor=${encodeURIComponent(cursor)}`;
  const keyset = `createdAt=${encodeURIComponent(last.createdAt)}&id=${last.id}`;
  await checkSameFiles(carcosa, first, `${server.url}/rows`);
  await checkSameFiles(carcosa, deep, `${server.url}/rows?${keyset}`);
  const contestant = (label: string, of: ServerProcess, path: string): Contestant => ({
    name: label,
    server: of,
    measure: () => {
      const headers = of === server ? {} : carcosa.authorization;
      return wrk(program, { url: `${of.url}${path}`, connections: CONNECTIONS, seconds: SECONDS, headers });
    },
  });
  const contestants = [
    contestant(FIRST, carcosa.server, first),
    contestant(DEEP, carcosa.server, deep),
    contestant(BARE_FIRST, server, '/rows'),
    contestant(BARE_DEEP, server, `/rows?${keyset}`),
    contestant(JSON_FIRST, server, '/json'),
  ];
  const result = await takeTurns(contestants, { rounds: bench.rounds });
  const line = (work: string, ours: string, peer: string, aim?: Reach) =>
    compare(result, { work, unit: 'requests/s', ours, peer, ...(aim ? { reach: aim } : {}) });
  return {
    lines: [
      line('list 50 of 1,000,000 files, first page', FIRST, BARE_FIRST, reach.first),
      line('list 50 of 1,000,000 files, first page', FIRST, JSON_FIRST),
      line('list 50 of 1,000,000 files, page 10,000', DEEP, BARE_DEEP, reach.deep),
      line('list 50 of 1,000,000 files, page 10,000', DEEP, FIRST, reach.depth),
    ],
    turns: result.turns,
    details: { failures: result.failures, connections: CONNECTIONS, seconds: SECONDS, pool: POOL },
  };
}

async function seed(bench: Bench, carcosa: Carcosa): Promise<void> {
  const template = join(bench.workspace.directory('list'), 'template.bin');
  writeFileSync(template, 'the one file that was really uploaded');
  const { file } = await simpleUpload(carcosa, template, 'bench/template.bin');
  console.log(`  seeding ${FILES.toLocaleString('en-US')} files`);
  await seedFiles(carcosa.dataDirectory, file.id, FILES);
}

/** The cursor of a page and the last file before it, by the interface's own cursors. */
async function walkTo(carcosa: Carcosa, page: number): Promise<{ cursor: string; last: Item }> {
  let left = (page - 1) * PAGE;
  let cursor = '';
  let last: Item | undefined;
  while (left > 0) {
    const limit = Math.min(left, 1000);
    const from = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { data } = await carcosa.call<Page>('GET', `/api/v1/files?limit=${limit}${from}`, 200);
    if (data.items.length !== limit || data.nextCursor === null)
      throw new Error(`the list ended ${left} files too early`);
    cursor = data.nextCursor;
    last = data.items.at(-1);
    left -= limit;
  }
  if (last === undefined) throw new Error('page 1 has no cursor');
  return { cursor, last };
}

async function checkSameFiles(carcosa: Carcosa, ours: string, theirs: string): Promise<void> {
  const { data } = await carcosa.call<Page>('GET', ours, 200);
  const bare = (await (await fetch(theirs)).json()) as Item[];
  const [left, right] = [data.items, bare].map((items) => items.map(({ id }) => id).join());
  if (left !== right || bare.length !== PAGE)
    throw new Error(`${ours} and the bare query do not return the same files`);
}

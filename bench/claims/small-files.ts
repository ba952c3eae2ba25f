import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { SmallFilesPlan, SmallFilesReport } from '../clients/small-files.ts';
import type { Bench } from '../harness/bench.ts';
import { Carcosa, type StoredFile } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { run as runProgram } from '../harness/commands.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';

export const name = 'small-files';
export const what =
  '2,000 files of 16 KiB, 16 at a time, one request each. Each of ours is on stable storage, hashed and in the database ' +
  'before it is acknowledged; the peer does none of it.';
export const reach = { simple: { atLeastRatio: 1 }, tus: { atLeastRatio: 1 } } satisfies Record<string, Reach>;

const COUNT = 2000;
const SIZE = 16 * 1024;
const CONNECTIONS = 16;

const SIMPLE = 'Carcosa, raw body';
const TUS = 'Carcosa, tus creation-with-upload';
const PEER = '@tus/server, creation-with-upload';

/** Each file has a path of its own: the base64 of the folder, of a length divisible by three, goes on with the number's. */
function tusHeaders(round: number): Record<string, string> {
  const folder = `bench/tus-${String(round).padStart(4, '0')}/`;
  return {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': String(SIZE),
    'Content-Type': 'application/offset+octet-stream',
    'Upload-Metadata': `path ${btoa(folder)}{n64}`,
  };
}

export async function run(bench: Bench): Promise<ClaimResult> {
  const carcosa = await Carcosa.start(bench);
  const contestants = [simple(carcosa), tus(carcosa), await peer(bench)];
  const result = await takeTurns(contestants, { rounds: bench.rounds, before: () => bench.workspace.settle(0) });
  const line = (work: string, ours: string, aim: Reach) =>
    compare(result, { work, unit: 'files/s', ours, peer: PEER, reach: aim });
  return {
    lines: [
      line('2,000 files of 16 KiB, 16 at a time, by simple POST', SIMPLE, reach.simple),
      line('2,000 files of 16 KiB, 16 at a time, by tus', TUS, reach.tus),
    ],
    turns: result.turns,
    details: { failures: result.failures },
  };
}

/** Posts the files of one round into `bench/<folder>`. */
export function postSmallFiles(carcosa: Carcosa, folder: string): Promise<SmallFilesReport> {
  return load({
    port: carcosa.server.port,
    path: `/api/v1/files?path=bench/${folder}/{n}.bin`,
    headers: { ...carcosa.authorization, 'Content-Type': 'application/octet-stream' },
  });
}

function simple(carcosa: Carcosa): Contestant {
  let round = 0;
  let ids: string[] = [];
  return {
    name: SIMPLE,
    server: carcosa.server,
    measure: async () => {
      round += 1;
      const report = await postSmallFiles(carcosa, `simple-${round}`);
      ids = report.samples.map(({ body }) => (JSON.parse(body) as { data: StoredFile }).data.id);
      return COUNT / report.seconds;
    },
    after: () => checkStored(carcosa, ids),
  };
}

function tus(carcosa: Carcosa): Contestant {
  let round = 0;
  let ids: string[] = [];
  return {
    name: TUS,
    server: carcosa.server,
    measure: async () => {
      round += 1;
      const headers = { ...carcosa.authorization, ...tusHeaders(round) };
      const report = await load({ port: carcosa.server.port, path: '/api/v1/tus', headers });
      ids = report.samples.map(({ head }) => /^carcosa-file-id: (\S+)/im.exec(head)?.[1] ?? 'unnamed');
      return COUNT / report.seconds;
    },
    after: () => checkStored(carcosa, ids),
  };
}

async function peer(bench: Bench): Promise<Contestant> {
  const server = await bench.startPeer('tus-server', { ROOT: bench.workspace.directory('tus-server') });
  let round = 0;
  return {
    name: PEER,
    server,
    measure: async () => {
      round += 1;
      return COUNT / (await load({ port: server.port, path: '/files', headers: tusHeaders(round) })).seconds;
    },
  };
}

async function load(request: Pick<SmallFilesPlan, 'port' | 'path' | 'headers'>): Promise<SmallFilesReport> {
  const plan: SmallFilesPlan = {
    ...request,
    method: 'POST',
    count: COUNT,
    size: SIZE,
    connections: CONNECTIONS,
    expected: 201,
  };
  const client = join(import.meta.dirname, '..', 'clients', 'small-files.ts');
  return JSON.parse(await runProgram(process.execPath, [client, JSON.stringify(plan)])) as SmallFilesReport;
}

/** What was acknowledged must be in the database with the hash of what comes back; not timed. */
async function checkStored(carcosa: Carcosa, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { data } = await carcosa.call<StoredFile>('GET', `/api/v1/files/${id}`, 200);
    const served = await fetch(`${carcosa.url}/f/${data.key}`);
    const content = Buffer.from(await served.arrayBuffer());
    const sha256 = createHash('sha256').update(content).digest('hex');
    if (data.size === SIZE && content.length === SIZE && data.sha256 === sha256) continue;
    throw new Error(
      `${id} is kept as ${JSON.stringify(data)} and came back as ${served.status}, ${content.length} bytes`,
    );
  }
}

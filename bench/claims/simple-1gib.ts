import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { curl } from '../harness/clients.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';
import { directUpload, simpleUpload, type Upload } from '../harness/uploads.ts';
import { GIBIBYTE } from '../harness/workspace.ts';

export const name = 'simple-1gib';
export const what =
  '1 GiB as one raw body, and directly to a local bucket in parts over one keep-alive connection and over three. Ours is ' +
  'synced, hashed and in the database when it answers; the peer pipes the body to a file and does neither.';
export const reach = {
  simple: { atLeastRatio: 0.9 },
  sequential: { atLeastRatio: 0.9 },
  parallel: { atLeastRatio: 0.9 },
} satisfies Record<string, Reach>;

const SIMPLE = 'Carcosa, raw body';
const SEQUENTIAL = 'Carcosa, direct, one part at a time';
const PARALLEL = 'Carcosa, direct, three parts at a time';
const BARE = 'bare node:http piped to a file';

export async function run(bench: Bench): Promise<ClaimResult> {
  const { workspace } = bench;
  const source = await workspace.source(GIBIBYTE);
  const carcosa = await Carcosa.start(bench);
  const direct = (parallel: number) =>
    directUpload(carcosa, workspace, { size: GIBIBYTE, path: 'bench/direct.bin', parallel });
  const contestants = [
    ours(SIMPLE, carcosa, () => simpleUpload(carcosa, source, 'bench/simple.bin')),
    ours(SEQUENTIAL, carcosa, () => direct(1)),
    ours(PARALLEL, carcosa, () => direct(3)),
    await bare(bench, source),
  ];
  const result = await takeTurns(contestants, { rounds: bench.rounds, before: () => workspace.settle(GIBIBYTE) });
  const line = (work: string, contestant: string, aim: Reach) =>
    compare(result, { work, unit: 'MB/s', ours: contestant, peer: BARE, reach: aim });
  return {
    lines: [
      line('1 GiB by simple POST', SIMPLE, reach.simple),
      line('1 GiB by direct PUT, one part at a time', SEQUENTIAL, reach.sequential),
      line('1 GiB by direct PUT, three parts at a time', PARALLEL, reach.parallel),
    ],
    turns: result.turns,
    details: { failures: result.failures },
  };
}

function ours(label: string, carcosa: Carcosa, upload: () => Promise<Upload>): Contestant {
  let made: string[] = [];
  return {
    name: label,
    server: carcosa.server,
    measure: async () => {
      const { seconds, file } = await upload();
      made.push(file.id);
      if (file.size !== GIBIBYTE) throw new Error(`stored ${file.size} bytes of ${GIBIBYTE}`);
      return GIBIBYTE / 1e6 / seconds;
    },
    after: async () => {
      await carcosa.purge(made);
      made = [];
    },
  };
}

async function bare(bench: Bench, source: string): Promise<Contestant> {
  const server = await bench.startPeer('node-put', { ROOT: bench.workspace.directory('node-put') });
  const url = `${server.url}/upload.bin`;
  return {
    name: BARE,
    server,
    measure: async () => GIBIBYTE / 1e6 / (await curl({ url, file: source }, 201)).seconds,
    after: async () => {
      await curl({ url, method: 'DELETE' }, 204);
    },
  };
}

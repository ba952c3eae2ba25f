import { linkSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { curl, rangeScript, wrk } from '../harness/clients.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';
import type { ServerProcess } from '../harness/server-process.ts';
import { simpleUpload } from '../harness/uploads.ts';
import { GIBIBYTE } from '../harness/workspace.ts';
import { startNginx } from '../peers/nginx.ts';

export const name = 'ranges-64k';
export const what =
  'Ranges of 64 KiB at random offsets of a file of 1 GiB in the page cache, 16 connections by wrk. Ours checks access for ' +
  'each; the peers have nothing to check.';
export const reach = { sirv: { atLeastRatio: 1.5 }, nginx: { atLeastRatio: 0.5 } } satisfies Record<string, Reach>;

const LENGTH = 64 * 1024;
const CONNECTIONS = 16;
const SECONDS = 5;

const OURS = 'Carcosa';
const SIRV = 'sirv';
const NGINX = 'nginx';

export async function run(bench: Bench): Promise<ClaimResult> {
  const { workspace } = bench;
  const program = await bench.program('wrk');
  if (program === null) throw new Error('wrk could not be had, and nothing else here loads a server that cheaply');
  const source = await workspace.source(GIBIBYTE);
  const root = workspace.directory('ranges');
  linkSync(source, join(root, 'file.bin'));
  const carcosa = await Carcosa.start(bench);
  const { file } = await simpleUpload(carcosa, source, 'bench/ranges.bin');
  const script = rangeScript(root, GIBIBYTE, LENGTH);
  const contestant = (label: string, server: ServerProcess, path: string): Contestant => ({
    name: label,
    server,
    measure: () => wrk(program, { url: `${server.url}${path}`, connections: CONNECTIONS, seconds: SECONDS, script }),
  });
  const contestants = [
    contestant(OURS, carcosa.server, `/f/${file.key}`),
    contestant(SIRV, await bench.startPeer('sirv', { ROOT: root }), '/file.bin'),
  ];
  const nginx = await startNginx(bench);
  if (nginx) {
    linkSync(source, join(nginx.root, 'file.bin'));
    contestants.push(contestant(NGINX, nginx.server, '/file.bin'));
  }
  // Random offsets would meet a cold file for long: read our copy once from end to end.
  await curl({ url: `${carcosa.url}/f/${file.key}` }, 200);
  const result = await takeTurns(contestants, { rounds: bench.rounds, before: () => workspace.settle(0) });
  const work = '64 KiB ranges, 16 at a time';
  return {
    lines: [
      compare(result, { work, unit: 'requests/s', ours: OURS, peer: SIRV, reach: reach.sirv }),
      compare(result, { work, unit: 'requests/s', ours: OURS, peer: NGINX, reach: reach.nginx }),
    ],
    turns: result.turns,
    details: { failures: result.failures, connections: CONNECTIONS, seconds: SECONDS },
  };
}

import { linkSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { curl } from '../harness/clients.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';
import type { ServerProcess } from '../harness/server-process.ts';
import { simpleUpload } from '../harness/uploads.ts';
import { GIBIBYTE, MEBIBYTE } from '../harness/workspace.ts';
import { startNginx } from '../peers/nginx.ts';

export const name = 'download-1gib';
export const what =
  '1 GiB by GET with curl, from the page cache. Ours finds the file in the database and checks access first; none of the ' +
  'peers has either to do. nginx stands there for information: it sends without copying, which Node cannot.';
export const reach = { bare: { atLeastRatio: 0.95 }, fastifyStatic: { atLeastRatio: 2.5 } } satisfies Record<
  string,
  Reach
>;

const OURS = 'Carcosa';
const BARE = 'bare node:http, pread into one buffer of 1 MiB';
const BARE_SMALL = 'bare node:http, pread into one buffer of 64 KiB';
const FASTIFY = '@fastify/static';
const NGINX = 'nginx';

export async function run(bench: Bench): Promise<ClaimResult> {
  const { workspace } = bench;
  const source = await workspace.source(GIBIBYTE);
  const root = workspace.directory('download');
  linkSync(source, join(root, 'file.bin'));
  const carcosa = await Carcosa.start(bench);
  const { file } = await simpleUpload(carcosa, source, 'bench/download.bin');
  const bare = (bytes: number) => bench.startPeer('node-get', { FILE: source, BUFFER: String(bytes) });
  const contestants = [
    contestant(OURS, carcosa.server, `/f/${file.key}`),
    contestant(BARE, await bare(MEBIBYTE), '/'),
    contestant(BARE_SMALL, await bare(64 * 1024), '/'),
    contestant(FASTIFY, await bench.startPeer('fastify-static', { ROOT: root }), '/file.bin'),
  ];
  const nginx = await startNginx(bench);
  if (nginx) {
    linkSync(source, join(nginx.root, 'file.bin'));
    contestants.push(contestant(NGINX, nginx.server, '/file.bin'));
  }
  // The round before the first brings our own copy of the file into the page cache; the peers share the source.
  const result = await takeTurns(contestants, { rounds: bench.rounds, before: () => workspace.settle(0) });
  const work = '1 GiB download';
  return {
    lines: [
      compare(result, { work, unit: 'MB/s', ours: OURS, peer: BARE, reach: reach.bare }),
      compare(result, { work, unit: 'MB/s', ours: OURS, peer: BARE_SMALL }),
      compare(result, { work, unit: 'MB/s', ours: OURS, peer: FASTIFY, reach: reach.fastifyStatic }),
      compare(result, { work, unit: 'MB/s', ours: OURS, peer: NGINX }),
    ],
    turns: result.turns,
    details: { failures: result.failures },
  };
}

function contestant(label: string, server: ServerProcess, path: string): Contestant {
  return {
    name: label,
    server,
    measure: async () => {
      const { seconds, bytesReceived } = await curl({ url: `${server.url}${path}` }, 200);
      if (bytesReceived !== GIBIBYTE) throw new Error(`${bytesReceived} bytes came instead of ${GIBIBYTE}`);
      return GIBIBYTE / 1e6 / seconds;
    },
  };
}

import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { curl } from '../harness/clients.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';
import { tusUpload } from '../harness/uploads.ts';
import { GIBIBYTE } from '../harness/workspace.ts';
import { startNginx } from '../peers/nginx.ts';

export const name = 'tus-1gib';
export const what =
  '1 GiB by tus: one POST that creates, one PATCH by curl with the whole body. Ours is synced, hashed and in the database ' +
  'when it answers; neither peer syncs or hashes.';
export const reach = { tusServer: { atLeastRatio: 2 }, nginx: { atLeastRatio: 0.6 } } satisfies Record<string, Reach>;

const OURS = 'Carcosa';
const TUS_SERVER = '@tus/server';
const NGINX = 'nginx DAV PUT';

const megabytes = (seconds: number) => GIBIBYTE / 1e6 / seconds;

export async function run(bench: Bench): Promise<ClaimResult> {
  const source = await bench.workspace.source(GIBIBYTE);
  const carcosa = await Carcosa.start(bench);
  const contestants = [ours(carcosa, source), await tusServer(bench, source), await nginx(bench, source)];
  const before = () => bench.workspace.settle(GIBIBYTE);
  const result = await takeTurns(
    contestants.filter((contestant) => contestant !== null),
    { rounds: bench.rounds, before },
  );
  const work = '1 GiB by tus';
  return {
    lines: [
      compare(result, { work, unit: 'MB/s', ours: OURS, peer: TUS_SERVER, reach: reach.tusServer }),
      compare(result, { work, unit: 'MB/s', ours: OURS, peer: NGINX, reach: reach.nginx }),
    ],
    turns: result.turns,
    details: { failures: result.failures },
  };
}

function ours(carcosa: Carcosa, source: string): Contestant {
  let made: string[] = [];
  return {
    name: OURS,
    server: carcosa.server,
    measure: async () => {
      const { seconds, fileId } = await tusUpload(`${carcosa.url}/api/v1/tus`, source, carcosa.authorization);
      made.push(fileId);
      return megabytes(seconds);
    },
    after: async () => {
      await carcosa.purge(made);
      made = [];
    },
  };
}

async function tusServer(bench: Bench, source: string): Promise<Contestant> {
  const server = await bench.startPeer('tus-server', { ROOT: bench.workspace.directory('tus-server') });
  let location = '';
  return {
    name: TUS_SERVER,
    server,
    measure: async () => {
      const upload = await tusUpload(`${server.url}/files`, source, {});
      location = upload.location;
      return megabytes(upload.seconds);
    },
    after: async () => {
      await curl({ url: location, method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } }, 204);
    },
  };
}

async function nginx(bench: Bench, source: string): Promise<Contestant | null> {
  const started = await startNginx(bench);
  if (started === null) return null;
  const url = `${started.server.url}/upload.bin`;
  return {
    name: NGINX,
    server: started.server,
    measure: async () => megabytes((await curl({ url, file: source }, 201)).seconds),
    after: async () => {
      await curl({ url, method: 'DELETE' }, 204);
    },
  };
}

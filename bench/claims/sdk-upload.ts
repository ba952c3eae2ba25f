import { createReadStream, statSync } from 'node:fs';
import { createCarcosa } from '@carcosa/sdk/node';
import { Upload } from 'tus-js-client';
import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';
import { GIBIBYTE } from '../harness/workspace.ts';

export const name = 'sdk-upload';
export const what =
  '1 GiB from a file by clients in Node, both in the process of the bench and to the same server: the SDK by the way ' +
  'that it and the server agree on (tus, to a bucket on the disk of the server), and tus-js-client with one PATCH.';
export const reach = { tusClient: { atLeastRatio: 1.2 } } satisfies Record<string, Reach>;

const OURS = '@carcosa/sdk';
const TUS_CLIENT = 'tus-js-client';
const TARGET = 'sdk-upload/video.bin';

export async function run(bench: Bench): Promise<ClaimResult> {
  const source = await bench.workspace.source(GIBIBYTE);
  const carcosa = await Carcosa.start(bench);
  const contestants = [
    contestant(carcosa, OURS, () => bySdk(carcosa, source)),
    contestant(carcosa, TUS_CLIENT, () => byTusClient(carcosa, source)),
  ];
  const result = await takeTurns(contestants, { rounds: bench.rounds, before: () => bench.workspace.settle(GIBIBYTE) });
  const work = '1 GiB from Node';
  return {
    lines: [compare(result, { work, unit: 'MB/s', ours: OURS, peer: TUS_CLIENT, reach: reach.tusClient })],
    turns: result.turns,
    details: { failures: result.failures },
  };
}

/** @param upload gives the id of the file */
function contestant(carcosa: Carcosa, client: string, upload: () => Promise<string>): Contestant {
  let made: string[] = [];
  return {
    name: client,
    server: carcosa.server,
    measure: async () => {
      const begin = performance.now();
      made.push(await upload());
      return GIBIBYTE / 1e6 / ((performance.now() - begin) / 1000);
    },
    after: async () => {
      await carcosa.purge(made);
      made = [];
    },
  };
}

async function bySdk({ url, apiKey }: Carcosa, path: string): Promise<string> {
  const { id } = await createCarcosa({ url, apiKey }).upload({ path }, { path: TARGET });
  return id;
}

function byTusClient(carcosa: Carcosa, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let id = '';
    const upload = new Upload(createReadStream(path) as never, {
      endpoint: `${carcosa.url}/api/v1/tus`,
      headers: carcosa.authorization,
      uploadSize: statSync(path).size,
      chunkSize: Number.POSITIVE_INFINITY,
      metadata: { filename: 'video.bin', path: TARGET },
      onAfterResponse: (_request, answer) => {
        id = answer.getHeader('Carcosa-File-Id') ?? id;
      },
      onSuccess: () => resolve(id),
      onError: reject,
    });
    upload.start();
  });
}

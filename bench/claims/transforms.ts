import { join } from 'node:path';
import sharp from 'sharp';
import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, type RoundsResult, takeTurns } from '../harness/rounds.ts';
import { simpleUpload } from '../harness/uploads.ts';

export const name = 'transforms';
export const what =
  'A JPEG of 12 megapixels as WebP of 600 to 1,000 pixels, quality 80: each time another width, and 16 equal requests at once. The peer ' +
  'is sharp in a bare server, which neither asks who may nor keeps anything.';
export const reach = { first: { atLeastRatio: 1.4 }, equal: { atLeastRatio: 8 } } satisfies Record<string, Reach>;

const OURS = 'Carcosa';
const SHARP = 'bare sharp';
const PICTURES = 16;

/** Each a width that was not asked for before, the same ones for everybody: all between 600 and 999 come before one comes again. */
function freshWidths(): () => number {
  let asked = 0;
  return () => 600 + ((asked++ * 7) % 400);
}

export async function run(bench: Bench): Promise<ClaimResult> {
  const source = join(bench.workspace.directory('transforms'), 'photo.jpg');
  await makePhoto(source);
  const carcosa = await Carcosa.start(bench);
  const { file } = await simpleUpload(carcosa, source, 'bench/photo.jpg');
  const peer = await bench.startPeer('bare-sharp', { FILE: source });
  const address = {
    [OURS]: (width: number) => `${carcosa.url}/t/${carcosa.projectId}/w_${width},f_webp/bench/photo.jpg`,
    [SHARP]: (width: number) => `${peer.url}/?w=${width}`,
  };
  const contestants = (measure: (fresh: () => string) => Promise<number>): Contestant[] =>
    [OURS, SHARP].map((who) => ({
      name: who,
      server: who === OURS ? carcosa.server : peer,
      measure: () => measure(next[who] as () => string),
    }));
  const next = Object.fromEntries(
    Object.entries(address).map(([who, make]) => {
      const width = freshWidths();
      return [who, () => make(width())];
    }),
  );
  const results: Record<string, RoundsResult> = {};
  for (const atOnce of [1, 4, 16]) {
    const measure = (fresh: () => string) => rate(carcosa, fresh, atOnce);
    results[`first time, ${atOnce} at once`] = await takeTurns(contestants(measure), { rounds: bench.rounds });
  }
  const equal = (fresh: () => string): Promise<number> => {
    const same = fresh();
    return rate(carcosa, () => same, PICTURES);
  };
  results['16 equal requests at once'] = await takeTurns(contestants(equal), { rounds: bench.rounds });
  const entries = Object.entries(results);
  return {
    lines: entries.map(([work, result]) =>
      compare(result, {
        work: `12 MP JPEG to WebP, ${work}`,
        unit: 'requests/s',
        ours: OURS,
        peer: SHARP,
        reach: work.startsWith('first') ? reach.first : reach.equal,
      }),
    ),
    turns: Object.fromEntries(
      entries.flatMap(([work, { turns }]) => Object.entries(turns).map(([who, each]) => [`${work}: ${who}`, each])),
    ),
    details: { failures: Object.assign({}, ...entries.map(([, { failures }]) => failures)), file: file.size },
  };
}

/** Pictures a second. */
async function rate(carcosa: Carcosa, address: () => string, atOnce: number): Promise<number> {
  const begin = performance.now();
  let left = PICTURES;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const answer = await fetch(address(), { headers: carcosa.authorization });
      const { byteLength } = await answer.arrayBuffer();
      if (answer.status !== 200 || byteLength < 1000) throw new Error(`it answered ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  return PICTURES / ((performance.now() - begin) / 1000);
}

/** Something with shapes and grain, about 4 MB. */
async function makePhoto(path: string): Promise<void> {
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 40 };
  const small = await sharp({ create: { width: 1000, height: 750, channels: 3, noise, background: '#888888' } })
    .blur(2)
    .png()
    .toBuffer();
  const grain = await sharp({
    create: { width: 4000, height: 3000, channels: 3, noise: { ...noise, sigma: 8 }, background: '#888888' },
  })
    .png({ compressionLevel: 0 })
    .toBuffer();
  await sharp(small)
    .resize(4000, 3000)
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 90 })
    .toFile(path);
}

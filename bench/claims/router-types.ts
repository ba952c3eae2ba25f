import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench } from '../harness/bench.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { limit } from '../harness/lines.ts';
import { median } from '../harness/statistics.ts';

export const name = 'router-types';
export const what =
  'Type-checking an app with a file router of 100 routes, each with an input, a middleware and server data that the app names, against ' +
  'the same app with an empty router: how many times as long.';
export const reach = { times: { atMost: 2 } } satisfies Record<string, Reach>;

const ROUTES = 100;
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
// Within the repository, so that packages are found.
const DIRECTORY = join(ROOT, 'bench', '.cache', 'router-types');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

export async function run(bench: Bench): Promise<ClaimResult> {
  const empty: number[] = [];
  const full: number[] = [];
  try {
    for (let round = 0; round <= bench.rounds; round++) {
      const seconds = { empty: check(0), full: check(ROUTES) };
      console.log(
        `  round ${round}: empty ${seconds.empty.toFixed(2)} s, ${ROUTES} routes ${seconds.full.toFixed(2)} s`,
      );
      if (round === 0) continue;
      empty.push(seconds.empty);
      full.push(seconds.full);
    }
  } finally {
    rmSync(DIRECTORY, { recursive: true, force: true });
  }
  const ratios = full.map((seconds, round) => seconds / (empty[round] as number));
  const turn = (rate: number, round: number) => ({ round: round + 1, rate, cpuSeconds: 0 });
  return {
    lines: [
      limit(`type-check with ${ROUTES} routes, in times of that with none`, '', median(ratios), reach.times.atMost),
    ],
    turns: { empty: empty.map(turn), full: full.map(turn) },
    details: { unit: 'seconds, lower is better', empty: median(empty), full: median(full) },
  };
}

/** Seconds that the compiler takes. */
function check(routes: number): number {
  mkdirSync(DIRECTORY, { recursive: true });
  writeFileSync(join(DIRECTORY, 'app.ts'), appWith(routes));
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: 'nodenext',
    target: 'es2023',
    types: ['node'],
  };
  writeFileSync(join(DIRECTORY, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['app.ts'] }));
  const begin = performance.now();
  const { status, stdout } = spawnSync(process.execPath, [TSC, '-p', DIRECTORY], { encoding: 'utf8' });
  const seconds = (performance.now() - begin) / 1000;
  if (status !== 0) throw new Error(`the app does not type-check: ${stdout.slice(0, 1000)}`);
  return seconds;
}

function appWith(routes: number): string {
  const numbers = Array.from({ length: routes }, (_, number) => number);
  const route = (
    number: number,
  ): string => `  route${number}: f({ image: { maxFileSize: '4MB', maxFileCount: ${number + 1} } })
    .input(z.object({ album${number}: z.string(), order: z.number() }))
    .middleware(({ input }) => ({ userId: 'u', album: input.album${number} }))
    .onUploadComplete(({ metadata }) => ({ by${number}: metadata.userId, at: new Date() })),`;
  const use = (number: number): string =>
    `export const output${number} = (output: inferRouteOutput<typeof router, 'route${number}'>): string => output.by${number} + output.at;`;
  return `import { createUploadRouter, f, type inferRouteOutput } from '@carcosa/file-router';
import { z } from 'zod';
export const schema = z.object({ a: z.string() });
export const builder = f;
export type Output<Router extends typeof router> = inferRouteOutput<Router, keyof Router>;
export const router = createUploadRouter({
${numbers.map(route).join('\n')}
});
${numbers.map(use).join('\n')}
`;
}

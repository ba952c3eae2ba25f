/**
 * Measures the claims of claims/, each beside its peers in the same run, keeps the figures in results/ and writes the table.
 *
 *   node --conditions=source bench/run.ts [names…] [--rounds 5] [--full] [--list]
 *
 * `BENCH_DIR` names the directory for all servers' data: a real file system with 10 GiB free; default `.cache/bench`.
 * A missed claim is a result and ends with 0; a claim that could not be measured ends with 1.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Bench } from './harness/bench.ts';
import type { Claim } from './harness/claim.ts';
import { readConditions } from './harness/conditions.ts';
import { type KeptResult, renderTable, replaceBetweenMarkers } from './harness/table.ts';
import { Workspace } from './harness/workspace.ts';

/** The order of the table. A claim that is not named here comes last. */
const ORDER = [
  'tus-1gib',
  'simple-1gib',
  'sdk-upload',
  'small-files',
  'download-1gib',
  'ranges-64k',
  'transforms',
  'video',
  'list-1m',
  'auth-overhead',
  'limiter',
  'usage-counting',
  'webhooks',
  'realtime',
  'memory',
  'router-types',
  'start',
];

const here = import.meta.dirname;
const results = join(here, 'results');
const readme = join(here, '..', 'README.md');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    full: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

process.exitCode = await main();

async function main(): Promise<number> {
  const claims = await loadClaims();
  if (values.list) {
    for (const claim of claims) console.log(`${claim.name.padEnd(16)}${claim.what}`);
    return 0;
  }
  const unknown = positionals.find((wanted) => !claims.some(({ name }) => name === wanted));
  const rounds = Number(values.rounds);
  if (unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
    console.error(
      unknown === undefined ? '--rounds takes a whole number from 1' : `there is no claim ${unknown}; --list shows all`,
    );
    return 1;
  }
  if (process.platform !== 'linux') {
    console.error('The bench reads processor time and memory from /proc, so it runs on Linux only.');
    return 1;
  }
  const wanted = claims.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  let failed = 0;
  for (const claim of wanted) failed += (await measure(claim, rounds)) ? 0 : 1;
  writeTable();
  return failed === 0 ? 0 : 1;
}

async function loadClaims(): Promise<Claim[]> {
  const files = readdirSync(join(here, 'claims')).filter((file) => file.endsWith('.ts'));
  const claims = await Promise.all(files.map((file): Promise<Claim> => import(`./claims/${file}`)));
  const rank = ({ name }: Claim) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return claims.sort((a, b) => rank(a) - rank(b));
}

/** Runs one claim and keeps its result. False when it could not be measured; what was kept before then stays. */
async function measure(claim: Claim, rounds: number): Promise<boolean> {
  console.log(`\n${claim.name}: ${claim.what}`);
  const workspace = new Workspace(process.env.BENCH_DIR ?? join(here, '..', '.cache', 'bench'));
  const bench = new Bench({ workspace, rounds, full: values.full });
  const conditions = readConditions(workspace.root);
  try {
    const result = await claim.run(bench);
    const details = { ...result.details, peakResidentMB: bench.peaks() };
    const kept = { name: claim.name, what: claim.what, rounds, conditions, ...result, details };
    mkdirSync(results, { recursive: true });
    writeFileSync(join(results, `${claim.name}.json`), `${JSON.stringify(kept, null, 2)}\n`);
    console.log(renderTable([kept]));
    return result.lines.every(({ verdict }) => verdict !== 'failed');
  } catch (error) {
    console.error(`  ${claim.name} could not be measured: ${error instanceof Error ? error.message : error}`);
    return false;
  } finally {
    await bench.stopAll();
  }
}

function writeTable(): void {
  const names = readdirSync(results).filter((file) => file.endsWith('.json'));
  const kept = names.map((file) => JSON.parse(readFileSync(join(results, file), 'utf8')) as KeptResult);
  const table = renderTable(kept.sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name)));
  writeFileSync(join(results, 'table.md'), table);
  if (!existsSync(readme)) return;
  const text = replaceBetweenMarkers(readFileSync(readme, 'utf8'), table);
  if (text !== null) writeFileSync(readme, text);
}

import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import pg from 'pg';
import type { Bench } from '../harness/bench.ts';
import { Carcosa, databaseConnection } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { limit } from '../harness/lines.ts';
import { median } from '../harness/statistics.ts';

export const name = 'look-ups';
export const what =
  'The slowest hundredth of requests that look up a key, its project and its keys, each request with another key than the ones before: ' +
  'on a server with 100,000 keys of 10,000 projects of 1,000 organizations, and on one with 2,000 keys of one project.';
export const reach = { ratio: { atMost: 2 } } satisfies Record<string, Reach>;

/** More than a node remembers, so that each request asks the database. */
const FEW_KEYS = 2000;
const KEYS = 100_000;
const PROJECTS = 10_000;
const ORGANIZATIONS = 1000;
const REQUESTS = 3000;
/** All keys have the same secret: only its hash is stored, and only one of them is looked up each time. */
const SECRET = 'x'.repeat(43);

const FEW = 'few keys';
const MANY = '100,000 keys';

export async function run(bench: Bench): Promise<ClaimResult> {
  const few = await Carcosa.start(bench);
  const many = await Carcosa.start(bench, { name: 'carcosa-many' });
  await seed(few, { organizations: 0, projects: 0, keys: FEW_KEYS });
  await seed(many, { organizations: ORGANIZATIONS, projects: PROJECTS, keys: KEYS });
  const slowest: Record<string, number[]> = { [FEW]: [], [MANY]: [] };
  for (let round = 0; round <= bench.rounds; round++) {
    const order: [string, Carcosa, number][] = [
      [FEW, few, FEW_KEYS],
      [MANY, many, KEYS],
    ];
    for (const [label, server, keys] of round % 2 === 0 ? order : order.reverse()) {
      const p99 = await slowestHundredth(server, keys, round);
      console.log(`  round ${round}  ${label.padEnd(14)} ${p99.toFixed(2)} ms`);
      if (round > 0) slowest[label]?.push(p99);
    }
  }
  const [ours, theirs] = [slowest[MANY] ?? [], slowest[FEW] ?? []];
  const ratio = median(ours.map((each, index) => each / (theirs[index] ?? each)));
  const turn = (rate: number, round: number) => ({ round: round + 1, rate, cpuSeconds: 0 });
  return {
    lines: [limit('p99 of look-ups among 100,000 keys, to that among 2,000', '', ratio, reach.ratio.atMost)],
    turns: { [FEW]: theirs.map(turn), [MANY]: ours.map(turn) },
    details: { unit: 'milliseconds, lower is better', requests: REQUESTS },
  };
}

/** Milliseconds. */
async function slowestHundredth({ server }: Carcosa, keys: number, round: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  for (let n = 0; n < REQUESTS; n++) {
    // A step that has no divisor in common with the number of keys visits each before it comes back to one.
    const key = 1 + (((round * REQUESTS + n) * 7919) % keys);
    const begin = performance.now();
    await get(`${server.url}/api/v1/${n % 2 === 0 ? 'projects' : 'api-keys'}`, `sk_${publicId(key)}_${SECRET}`, agent);
    times.push(performance.now() - begin);
  }
  agent.destroy();
  return times.sort((a, b) => a - b)[Math.floor(REQUESTS * 0.99)] ?? 0;
}

function get(url: string, key: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, headers: { authorization: `Bearer ${key}` } }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${url} answered ${answer.statusCode}`));
      answer.resume().on('end', resolve).on('error', reject);
    });
    sent.on('error', reject).end();
  });
}

const publicId = (n: number): string => String(n).padStart(16, '0');

async function seed(
  { dataDirectory, projectId }: Carcosa,
  { organizations, projects, keys }: { organizations: number; projects: number; keys: number },
): Promise<void> {
  const client = new pg.Client(databaseConnection(dataDirectory));
  await client.connect();
  const id = (prefix: string, n: string): string => `'${prefix}_' || lpad((${n})::text, 26, '0')`;
  try {
    await client.query(
      `insert into organizations (id, name, slug, created_at) select ${id('org', 'n')}, 'o', 'o' || n, now() from generate_series(1, $1::int) n`,
      [organizations],
    );
    await client.query(
      `insert into teams (id, organization_id, name, slug, created_at)
       select ${id('team', 'n')}, ${id('org', 'n')}, 't', 't', now() from generate_series(1, $1::int) n`,
      [organizations],
    );
    await client.query(
      `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
       select ${id('prj', 'n')}, ${id('org', `1 + n % ${organizations || 1}`)}, ${id('team', `1 + n % ${organizations || 1}`)}, p.bucket_id,
         'p', 'p' || n, '{}', now(), now() from generate_series(1, $1::int) n, projects p where p.id = $2`,
      [projects, projectId],
    );
    await client.query(
      `insert into api_keys (id, public_id, project_id, label, secret_hash, permissions, created_at)
       select ${id('key', 'n')}, lpad(n::text, 16, '0'), ${projects === 0 ? '$3' : `${id('prj', `1 + n % ${projects}`)}`}, 'k', $2,
         '{projects:read,api-keys:read}', now() from generate_series(1, $1::int) n where $3::text is not null`,
      [keys, createHash('sha256').update(SECRET).digest(), projectId],
    );
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import type { ClaimResult, Line, Reach, Turn } from '../harness/claim.ts';
import { wrk } from '../harness/clients.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';

export const name = 'usage-counting';
export const what =
  'Download a file of 1 KiB, and read one by its id with a key, 16 connections by wrk: counting what is used, and the same server in the ' +
  'same process that does not.';
export const reach = {
  download: { atLeastRatio: 0.98 },
  read: { atLeastRatio: 0.98 },
} satisfies Record<string, Reach>;

const CONNECTIONS = 16;
const SECONDS = 5;
const WORKS = [
  { work: 'download a file of 1 KiB', reach: reach.download, path: (facts: Facts) => `/f/${facts.fileKey}` },
  { work: 'read one file by its id', reach: reach.read, path: (facts: Facts) => `/api/v1/files/${facts.id}` },
];

interface Facts {
  key: string;
  /** Address of the one that does not count. */
  silent: string;
  id: string;
  fileKey: string;
}

export async function run(bench: Bench): Promise<ClaimResult> {
  const program = await bench.program('wrk');
  if (program === null) throw new Error('wrk could not be had, and nothing else here loads a server that cheaply');
  const data = join(bench.workspace.root, 'counted');
  rmSync(data, { recursive: true, force: true });
  const server = await bench.startPeer('counted', { CARCOSA_DATA_DIR: data });
  const facts = (await (await fetch(`${server.url}/facts`)).json()) as Facts;
  const headers = { 'x-api-key': facts.key };
  const contestant = (label: string, url: string): Contestant => ({
    name: label,
    server,
    measure: () => wrk(program, { url, connections: CONNECTIONS, seconds: SECONDS, headers }),
  });
  const lines: Line[] = [];
  const turns: Record<string, readonly Turn[]> = {};
  const failures: Record<string, string> = {};
  for (const { work, reach: wanted, path } of WORKS) {
    const [ours, peer] = [`Carcosa, ${work}`, `without counting, ${work}`];
    const contestants = [
      contestant(ours, `${server.url}${path(facts)}`),
      contestant(peer, `${facts.silent}${path(facts)}`),
    ];
    const measured = await takeTurns(contestants, { rounds: bench.rounds });
    lines.push(compare(measured, { work, unit: 'requests/s', ours, peer, reach: wanted }));
    Object.assign(turns, measured.turns);
    Object.assign(failures, measured.failures);
  }
  return { lines, turns, details: { failures, connections: CONNECTIONS, seconds: SECONDS } };
}

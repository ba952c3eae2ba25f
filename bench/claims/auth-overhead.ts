import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { wrk } from '../harness/clients.ts';
import { compare } from '../harness/lines.ts';
import { type Contestant, takeTurns } from '../harness/rounds.ts';

export const name = 'auth-overhead';
export const what =
  'Read one file by its id, 16 connections by wrk: with key, permission, rate limit and a quota in force, and the same service call ' +
  'in the same process with none of them.';
export const reach = { read: { atLeastRatio: 0.85 } } satisfies Record<string, Reach>;

const CONNECTIONS = 16;
const SECONDS = 5;
const GUARDED = 'Carcosa, with key, permission, limit and quota';
const BARE = 'the same without them';

export async function run(bench: Bench): Promise<ClaimResult> {
  const program = await bench.program('wrk');
  if (program === null) throw new Error('wrk could not be had, and nothing else here loads a server that cheaply');
  const data = join(bench.workspace.root, 'guarded');
  rmSync(data, { recursive: true, force: true });
  const server = await bench.startPeer('guarded', { CARCOSA_DATA_DIR: data });
  const facts = (await (await fetch(`${server.url}/facts`)).json()) as { key: string; projectId: string; id: string };
  const headers = { 'x-api-key': facts.key };
  const set = await fetch(`${server.url}/api/v1/projects/${facts.projectId}/quotas`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ quotas: { bytes: 1e15, files: 1e9, uploadBytes: 1e15, egressBytes: 1e15 } }),
  });
  if (set.status !== 200) throw new Error(`the quotas could not be set: ${set.status} ${await set.text()}`);
  const contestant = (label: string, path: string, sent: Record<string, string>): Contestant => ({
    name: label,
    server,
    measure: () =>
      wrk(program, { url: `${server.url}${path}`, connections: CONNECTIONS, seconds: SECONDS, headers: sent }),
  });
  const contestants = [contestant(GUARDED, `/api/v1/files/${facts.id}`, headers), contestant(BARE, '/bare', {})];
  const result = await takeTurns(contestants, { rounds: bench.rounds });
  const work = 'read one file by its id';
  return {
    lines: [compare(result, { work, unit: 'requests/s', ours: GUARDED, peer: BARE, reach: reach.read })],
    turns: result.turns,
    details: { failures: result.failures, connections: CONNECTIONS, seconds: SECONDS },
  };
}

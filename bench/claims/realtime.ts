import pg from 'pg';
import type { Bench } from '../harness/bench.ts';
import { Carcosa, databaseConnection } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { compare } from '../harness/lines.ts';
import { takeTurns } from '../harness/rounds.ts';
import type { ServerProcess } from '../harness/server-process.ts';

export const name = 'realtime';
export const what =
  '200 events are told to 2,000 clients in one room, 400,000 messages: ours reads them from the database, where they were committed, and decides who ' +
  'may see them; the peer is a bare Socket.IO that emits the same message to its room. The clients are the same.';
export const reach = { rate: { atLeastRatio: 0.9 } } satisfies Record<string, Reach>;

const CLIENTS = Number(process.env.BENCH_REALTIME_CLIENTS ?? 2000);
const EVENTS = 200;
const OURS = 'Carcosa, Socket.IO';
const PEER = 'bare Socket.IO';

export async function run(bench: Bench): Promise<ClaimResult> {
  const bare = await bench.startPeer('bare-socket-io', {});
  const [ourClients, theirClients] = [
    await bench.startPeer('socket-clients', {}),
    await bench.startPeer('socket-clients', {}),
  ];
  const carcosa = await Carcosa.start(bench, { env: { CARCOSA_REALTIME_CONNECTIONS_PER_CLIENT: '100000' } });
  await carcosa.call('PATCH', '/api/v1/rate-limits', 200, { json: { read: null } });
  const room = `project:${carcosa.projectId}`;
  await connect(ourClients, { url: carcosa.url, token: carcosa.apiKey, room });
  await connect(theirClients, { url: bare.url, token: '', room });
  const body = await firstEvent(carcosa, ourClients);
  const client = new pg.Client(databaseConnection(carcosa.dataDirectory));
  await client.connect();
  try {
    const contestants = [
      { name: OURS, server: carcosa.server, measure: () => rate(ourClients, () => commitEvents(client)) },
      {
        name: PEER,
        server: bare,
        measure: () =>
          rate(theirClients, async () => void (await fetch(`${bare.url}/?count=${EVENTS}`, { method: 'POST', body }))),
      },
    ];
    const result = await takeTurns(contestants, { rounds: bench.rounds });
    const work = `${EVENTS} events to ${CLIENTS.toLocaleString('en-US')} clients`;
    return {
      lines: [compare(result, { work, unit: 'messages/s', ours: OURS, peer: PEER, reach: reach.rate })],
      turns: result.turns,
      details: { failures: result.failures, bytesOfAMessage: body.length, peaks: bench.peaks() },
    };
  } finally {
    await client.end();
  }
}

async function connect(clients: ServerProcess, order: { url: string; token: string; room: string }): Promise<void> {
  const body = JSON.stringify({ ...order, count: CLIENTS });
  const answer = await fetch(`${clients.url}/connect`, { method: 'POST', body });
  if (!answer.ok) throw new Error(`clients could not connect: ${await answer.text()}`);
}

/** What the event of an upload looks like to a client: its arguments as JSON. */
async function firstEvent(carcosa: Carcosa, clients: ServerProcess): Promise<string> {
  const path = '/api/v1/files?path=bench/realtime.txt';
  const come = fetch(`${clients.url}/wait?count=1`);
  await fetch(`${carcosa.url}${path}`, { method: 'POST', headers: carcosa.authorization, body: 'x' });
  const { last } = (await (await come).json()) as { last: string };
  return `[${last.slice(1)}`;
}

/** Messages a second, from when the events are committed until every client has been told each of them. */
async function rate(clients: ServerProcess, begin: () => Promise<void>): Promise<number> {
  await fetch(`${clients.url}/reset`);
  const come = fetch(`${clients.url}/wait?count=${EVENTS}`);
  const began = performance.now();
  await begin();
  await come;
  return (EVENTS * CLIENTS * 1000) / (performance.now() - began);
}

/** As many events as uploads of as many files would leave in one commit: that of one of ours, of other files. */
async function commitEvents(client: pg.Client): Promise<void> {
  await client.query(
    `insert into events (id, type, organization_id, project_id, resource_id, path, data, created_at)
     select carcosa_id('evt', now()), e.type, e.organization_id, e.project_id, e.resource_id || '-' || n, e.path, e.data, now()
     from (select * from events where type = 'file.created' order by position limit 1) e, generate_series(1, $1) n`,
    [EVENTS],
  );
}

import pg from 'pg';
import type { Bench } from '../harness/bench.ts';
import { Carcosa, databaseConnection } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { compare, limit } from '../harness/lines.ts';
import { takeTurns } from '../harness/rounds.ts';
import type { ServerProcess } from '../harness/server-process.ts';
import { median } from '../harness/statistics.ts';

export const name = 'webhooks';
export const what =
  '5,000 events that wait are delivered to one fast receiver: ours signs each, keeps the order of each file and records every attempt; the ' +
  'peer is a bare loop of undici with 16 requests at a time that sends the same body. And how long after an upload its event comes.';
export const reach = { rate: { atLeastRatio: 0.6 }, latency: { atMost: 0.06 } } satisfies Record<string, Reach>;

const EVENTS = 5000;
const UPLOADS = 100;
const OURS = 'Carcosa, webhook deliveries';
const PEER = 'bare loop of undici';

type Last = { readonly count: number; readonly at: number; readonly text: string };

export async function run(bench: Bench): Promise<ClaimResult> {
  const receiver = await bench.startPeer('webhook-receiver', {});
  const loop = await bench.startPeer('undici-loop', {});
  const carcosa = await Carcosa.start(bench, { env: { CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.1' } });
  const json = { projectId: carcosa.projectId, url: `${receiver.url}/hook` };
  await carcosa.call('POST', '/api/v1/webhooks', 201, { json: { ...json, events: ['file.*'] } });
  const { seconds, body } = await latency(carcosa, receiver);
  const client = new pg.Client(databaseConnection(carcosa.dataDirectory));
  await client.connect();
  try {
    const ours = () => rate(receiver, () => queueEvents(client));
    const theirs = () =>
      rate(receiver, async () => {
        const address = `${loop.url}/?url=${encodeURIComponent(`${receiver.url}/hook`)}&count=${EVENTS}`;
        await fetch(address, { method: 'POST', body });
      });
    const contestants = [
      { name: OURS, server: carcosa.server, measure: ours },
      { name: PEER, server: loop, measure: theirs },
    ];
    const result = await takeTurns(contestants, { rounds: bench.rounds });
    const { rows } = await client.query('select count(*)::int as n from webhook_attempts');
    const work = `${EVENTS.toLocaleString('en-US')} events to one receiver, every attempt recorded`;
    return {
      lines: [
        compare(result, { work, unit: 'requests/s', ours: OURS, peer: PEER, reach: reach.rate }),
        limit('upload to receipt of its event, p50', 's', median(seconds), reach.latency.atMost),
      ],
      turns: result.turns,
      details: { failures: result.failures, attemptsRecorded: rows[0]?.n, peaks: bench.peaks() },
    };
  } finally {
    await client.end();
  }
}

/** Seconds from the moment that stands in an event, which is before its commit, until it has come; one upload after the other. */
async function latency(carcosa: Carcosa, receiver: ServerProcess): Promise<{ seconds: number[]; body: string }> {
  const seconds: number[] = [];
  let body = '';
  for (let index = 0; index < UPLOADS; index++) {
    await fetch(`${receiver.url}/reset`);
    const come = fetch(`${receiver.url}/wait?count=1`);
    const path = `/api/v1/files?path=bench/webhook-${index}.txt`;
    const answer = await fetch(`${carcosa.url}${path}`, { method: 'POST', headers: carcosa.authorization, body: 'x' });
    if (answer.status !== 201) throw new Error(`${path} answered ${answer.status}`);
    const { at, text } = (await (await come).json()) as Last;
    seconds.push((at - Date.parse(JSON.parse(text).timestamp)) / 1000);
    body = text;
  }
  return { seconds, body };
}

/** Deliveries a second, from when they are begun until the last one has come. */
async function rate(receiver: ServerProcess, begin: () => Promise<void>): Promise<number> {
  await fetch(`${receiver.url}/reset`);
  const come = fetch(`${receiver.url}/wait?count=${EVENTS}`);
  const began = performance.now();
  await begin();
  await come;
  return (EVENTS * 1000) / (performance.now() - began);
}

/** As many events as uploads of as many files would leave in one commit: that of one of ours, of other files. */
async function queueEvents(client: pg.Client): Promise<void> {
  await client.query(
    `with happened as (
       insert into events (id, type, organization_id, project_id, resource_id, path, data, created_at)
       select carcosa_id('evt', now()), e.type, e.organization_id, e.project_id, e.resource_id || '-' || n, e.path, e.data, now()
       from (select * from events where type = 'file.created' order by position limit 1) e, generate_series(1, $1) n
       returning position
     ), queued as (insert into event_queue select position from happened returning position)
     select pg_notify('carcosa_webhooks', '{}') from queued having count(*) > 0`,
    [EVENTS],
  );
}

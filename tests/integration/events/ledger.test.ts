import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { transaction } from '@carcosa/database';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { type Behaviour, WebhookReceiver } from '../../support/webhook-receiver.ts';
import { WebhookWorld } from './support.ts';

const EVENTS = 4_000;
const FILES = 1_000;
const BATCH = 200;
const KILLS = 4;
/** A day of the schedule is less than half a minute. */
const SPEED = 4000;

let world: WebhookWorld;
let inside: WebhookReceiver;
let receiver: WebhookReceiver;
let sender: ChildProcess | undefined;
let turn = 0;
/** What was answered with 200, as it came first. */
const taken = new Map<string, { file: string; index: number }>();
const forged: string[] = [];

beforeAll(async () => {
  world = await WebhookWorld.open({ kind: 'embedded', sends: false });
  inside = await WebhookReceiver.open();
  receiver = await WebhookReceiver.open();
});
afterAll(async () => {
  sender?.kill('SIGKILL');
  await receiver.close();
  await inside.close();
  await world.close();
});

async function startSender(): Promise<ChildProcess> {
  const env = {
    DATABASE_URL: world.connectionString,
    CARCOSA_DATA_DIR: world.dataDir,
    CARCOSA_WEBHOOK_ALLOW_PRIVATE: new URL(receiver.url).hostname,
  };
  const argument = JSON.stringify({ env, since: world.clock.now(), speed: SPEED });
  const file = fileURLToPath(new URL('./fixtures/sender.ts', import.meta.url));
  const flags = ['--conditions=source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...flags, file, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data'),
    once(child, 'exit').then(() => {
      throw new Error('the sender ended at once');
    }),
  ]);
  return child;
}

/** Misbehaves in each way that receivers do, and keeps book of what it has really taken. */
function misbehaving(secret: string): Behaviour {
  const signer = new Webhook(secret);
  return (response, { headers, text, body }, request) => {
    const id = String(headers['webhook-id']);
    const at = new Date(Number(headers['webhook-timestamp']) * 1000);
    // Their time is not that of this machine, so the signature is made anew by the library, and compared.
    if (signer.sign(id, at, text) !== headers['webhook-signature']) forged.push(id);
    turn += 1;
    if (turn % 41 === 0) return;
    if (turn % 7 === 0) response.writeHead(500).end('no');
    else if (turn % 11 === 0) request.socket.destroy();
    else if (turn % 13 === 0) response.writeHead(307, { location: inside.url }).end();
    else {
      if (!taken.has(id)) taken.set(id, { file: String(body.data.id), index: Number(body.data.index) });
      response.writeHead(200).end();
    }
  };
}

it('delivers every committed event, in order of each file, whatever receiver and sender go through', async () => {
  const { id, secret } = await world.webhook(receiver.url, { events: ['file.trashed'] });
  receiver.behaviour = misbehaving(secret);
  sender = await startSender();
  let killed = 0;
  for (let first = 0; first < EVENTS; first += BATCH) {
    const files = Array.from({ length: BATCH }, (_, index) => `file_${(first + index) % FILES}`);
    await world.happen(files, world.db, first);
    const undone = transaction(world.node.carcosa.database.pool, async (tx) => {
      await world.happen([`ghost_${first}`], tx);
      throw new Error('rolled back');
    });
    await expect(undone).rejects.toThrow('rolled back');
    if (first >= (EVENTS * (killed + 1)) / (KILLS + 1)) {
      killed += 1;
      const exited = once(sender, 'exit');
      sender.kill('SIGKILL');
      await exited;
      // As if the 15 s had passed after which another process takes over.
      await world.db.query('update webhooks set lane_until = now() where lane_until is not null');
      sender = await startSender();
    }
  }
  const { rows } = await world.db.query<{ id: string }>(`select id from events where type = 'file.trashed'`);
  expect(rows).toHaveLength(EVENTS);
  const pending = async () => {
    const found = await world.db.query(`select count(*)::int as n from webhook_deliveries where state = 'pending'`);
    const queued = await world.db.query('select count(*)::int as n from event_queue');
    return found.rows[0]?.n + queued.rows[0]?.n;
  };
  await until(async () => (await pending()) === 0, { within: 100_000, every: 200, what: 'the end of all deliveries' });
  expect(killed).toBe(KILLS);
  expect([...taken.keys()].sort()).toEqual(rows.map((row) => row.id).sort());
  expect(forged).toEqual([]);
  expect(inside.received).toEqual([]);
  const last = new Map<string, number>();
  const disordered = [...taken.values()].filter(({ file, index }) => {
    const before = last.get(file) ?? -1;
    last.set(file, index);
    return index < before;
  });
  expect(disordered).toEqual([]);
  const attempts = await world.db.query('select count(*)::int as n from webhook_attempts');
  // Those of the last moments before a kill are the only ones that nobody could record.
  expect(receiver.received.length - attempts.rows[0]?.n).toBeLessThanOrEqual(KILLS * 16);
  expect((await world.health(id)).enabled).toBe(true);
}, 150_000);

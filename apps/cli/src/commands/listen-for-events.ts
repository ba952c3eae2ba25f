import { createHmac, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { WithContext } from '../program.ts';

interface Options {
  secret?: string;
  events?: string[];
  since?: string;
}

/** Milliseconds before each further attempt at one event. */
const PAUSES_MS = [1000, 3000, 10_000];

/** Forwards what webhooks would tell to an address that only this machine knows: no tunnel, no webhook on the server. */
export function listenForEvents(program: Command, run: WithContext): void {
  program
    .command('listen')
    .description('forward events of the project to a receiver on this machine, signed like webhooks')
    .argument('<url>', 'such as http://localhost:3000/api/hooks')
    .option('--secret <whsec>', 'to sign with; default: a new one, which is shown')
    .option('--events <types...>', 'such as file.created or file.*; default: all')
    .option('--since <cursor>', 'begins behind it instead of now')
    .action(
      run(async (context, [url]: [string], { secret = newSecret(), events: types = ['*'], since }: Options) => {
        const key = keyOf(secret);
        const client = await context.client();
        const projectId = await context.projectId();
        context.output.result({ listening: url, secret }, () => `Events go to ${url}, signed with ${secret}`);
        for await (const { event, cursor } of client.events.stream({ projectId, ...(since ? { since } : {}) })) {
          if (!types.some((type) => isOf(event.type, type))) continue;
          const { id, type, timestamp, data } = event;
          const status = await forward(url, key, {
            id,
            body: JSON.stringify({ type, timestamp, data }),
            at: timestamp,
          });
          context.output.result({ id, type, status, cursor }, () => `${timestamp}  ${type}  ${id}  ${status}`);
        }
      }),
    );
}

const newSecret = (): string => `whsec_${randomBytes(24).toString('base64')}`;
const isOf = (type: string, filter: string): boolean =>
  filter === '*' || filter === type || (filter.endsWith('.*') && type.startsWith(filter.slice(0, -1)));

function keyOf(secret: string): Buffer {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  if (key.length < 16)
    throw new CommandFailure('A secret looks like whsec_… and has at least 16 bytes in base64.', EXIT.usage);
  return key;
}

/** @returns the status of the last attempt, or why there was none */
async function forward(
  url: string,
  key: Buffer,
  { id, body }: { id: string; body: string; at: string },
): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const sent = String(Math.floor((performance.timeOrigin + performance.now()) / 1000));
    const signature = createHmac('sha256', key).update(`${id}.${sent}.${body}`).digest('base64');
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': sent,
      'webhook-signature': `v1,${signature}`,
    };
    const answer = await fetch(url, { method: 'POST', headers, body }).catch((error: Error) => error);
    if (!(answer instanceof Error)) await answer.body?.cancel();
    if (!(answer instanceof Error) && answer.ok) return String(answer.status);
    const pause = PAUSES_MS[attempt];
    const status =
      answer instanceof Error
        ? ((answer.cause as Error | undefined)?.message ?? answer.message)
        : String(answer.status);
    if (pause === undefined) return `gave up: ${status}`;
    await delay(pause);
  }
}

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An event as Sentry has it. */
export interface SeenEvent {
  message?: string;
  level: string;
  release: string;
  environment: string;
  tags: Record<string, string>;
  exception?: { values: { type: string; value: string; stacktrace?: { frames: { filename?: string }[] } }[] };
}

/** Who takes envelopes as Sentry does (https://develop.sentry.dev/sdk/data-model/envelopes/), for project 42. */
export interface SentryReceiver {
  /** For SENTRY_DSN. */
  readonly dsn: string;
  readonly events: readonly SeenEvent[];
  /** All that came, as it came. */
  readonly texts: readonly string[];
  /** From now on it wants nothing for a minute. */
  refuse(): void;
  close(): Promise<void>;
}

export async function startSentryReceiver(): Promise<SentryReceiver> {
  const events: SeenEvent[] = [];
  const texts: string[] = [];
  let isRefusing = false;
  const server = createServer(async (request, response) => {
    const text = (await request.setEncoding('utf8').toArray()).join('');
    texts.push(`${request.url} ${JSON.stringify(request.headers)} ${text}`);
    if (isRefusing) return void response.writeHead(429, { 'retry-after': '60' }).end();
    const address = new URL(request.url ?? '', 'http://x');
    const isOurs =
      address.pathname === '/api/42/envelope/' &&
      /publickey/.test(`${address.search}${request.headers['x-sentry-auth']}`);
    if (!isOurs) return void response.writeHead(403).end();
    const lines = text.split('\n').map((line) => (line === '' ? null : JSON.parse(line)));
    for (const [index, line] of lines.entries()) if (line?.type === 'event') events.push(lines[index + 1] as SeenEvent);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"x"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    dsn: `http://publickey@127.0.0.1:${port}/42`,
    events,
    texts,
    refuse: () => {
      isRefusing = true;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

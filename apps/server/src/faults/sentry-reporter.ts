import { createStackParser, createTransport, type Event, parseStackFrames } from '@sentry/core';
import { nodeStackLineParser, ServerRuntimeClient } from '@sentry/core/server';
import type { FaultSettings } from './fault-config.ts';
import type { FaultReporter } from './fault-reporter.ts';
import { scrub } from './scrub.ts';

/** Most events in a minute: a fault in a loop must not become a flood. */
const MAX_A_MINUTE = 30;
const MINUTE_MS = 60_000;
/** Milliseconds that what is under way gets when the process stops. */
const CLOSE_MS = 2_000;
/** Causes of causes that are told. */
const MAX_CAUSES = 4;
/** What of a line of the log is told beside it: nothing that says who or which file. */
const TOLD_FIELDS = ['requestId', 'route', 'method', 'code', 'status', 'job', 'kind', 'traceId'] as const;

const stackParser = createStackParser(nodeStackLineParser());

/** Hands faults to Sentry, or to what speaks its protocol. This module and what it imports are loaded only where there is a DSN. */
export class SentryReporter implements FaultReporter {
  readonly #client: ServerRuntimeClient;
  readonly #now: () => number;
  #minute = 0;
  #count = 0;

  constructor({ dsn, environment, release }: FaultSettings, version: string, now = () => performance.now()) {
    this.#now = now;
    this.#client = new ServerRuntimeClient({
      ...{ dsn, environment, release: release ?? `carcosa@${version}`, stackParser },
      platform: 'node',
      runtime: { name: 'node', version: process.version },
      // Nothing is gathered by itself: no requests, no breadcrumbs, no name of this machine.
      integrations: [],
      sendClientReports: false,
      transport: (options) =>
        createTransport(options, async ({ body }) => {
          const response = await fetch(options.url, {
            ...{ method: 'POST', headers: options.headers ?? {} },
            body: typeof body === 'string' ? body : new Uint8Array(body),
            signal: AbortSignal.timeout(10_000),
          });
          await response.arrayBuffer();
          const { headers } = response;
          return {
            statusCode: response.status,
            headers: {
              'x-sentry-rate-limits': headers.get('x-sentry-rate-limits'),
              'retry-after': headers.get('retry-after'),
            },
          };
        }),
    });
    this.#client.init();
  }

  report(fields: object, message: string): void {
    if (!this.#mayTell()) return;
    this.#client.captureEvent(eventOf(fields, message));
  }

  async close(): Promise<void> {
    await this.#client.close(CLOSE_MS);
  }

  #mayTell(): boolean {
    const minute = Math.floor(this.#now() / MINUTE_MS);
    if (minute !== this.#minute) [this.#minute, this.#count] = [minute, 0];
    this.#count += 1;
    return this.#count <= MAX_A_MINUTE;
  }
}

function eventOf(fields: object, message: string): Event {
  const { err, error = err, ...rest } = fields as Record<string, unknown>;
  const tags = Object.fromEntries(
    TOLD_FIELDS.flatMap((name) => {
      const value = rest[name];
      return typeof value === 'string' || typeof value === 'number' ? [[name, scrub(String(value))]] : [];
    }),
  );
  const values = exceptionsOf(error);
  return {
    level: 'error',
    logger: 'carcosa',
    // Our own sentences: they name nothing that users chose.
    message,
    tags,
    ...(values.length > 0 ? { exception: { values } } : {}),
  };
}

/** The innermost cause first, as Sentry wants them. */
function exceptionsOf(error: unknown): NonNullable<NonNullable<Event['exception']>['values']> {
  const values: NonNullable<NonNullable<Event['exception']>['values']> = [];
  for (let each = error; each instanceof Error && values.length < MAX_CAUSES; each = each.cause) {
    const code = 'code' in each && typeof each.code === 'string' ? ` (${each.code})` : '';
    const frames = parseStackFrames(stackParser, each);
    values.unshift({ type: each.name, value: `${scrub(each.message)}${code}`, stacktrace: { frames } });
  }
  return values;
}

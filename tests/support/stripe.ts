import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to a request; absent: it is answered as it should be. */
export type StripeFault =
  /** Refused before anything is done, as by a limit. */
  | 429
  /** A fault before anything is done; the answer is kept for the key. */
  | 500
  /** A fault after the event was taken; the answer is kept for the key. */
  | 'taken-500'
  /** Taken, and the connection breaks before the answer. */
  | 'lost'
  /** The connection breaks before anything is done. */
  | 'reset';

export interface StripeEvent {
  eventName: string;
  identifier: string;
  customerId: string;
  value: number;
  timestamp: number;
}

interface Kept {
  body: string;
  status: number;
  text: string;
}

const KEY = 'sk_test_0123456789abcdef';
const MAX_AGE_SECONDS = 35 * 24 * 3600;
const MAX_AHEAD_SECONDS = 5 * 60;

/**
 * Stands in for Stripe's POST /v1/billing/meter_events, as its documentation describes it: bearer keys, answers that are kept for an
 * Idempotency-Key, identifiers that count once and are refused after that, timestamps of the last 35 days, customers that exist.
 */
export class StripeStandIn {
  readonly apiKey = KEY;
  /** What was taken, once each. */
  readonly events: StripeEvent[] = [];
  /** For the next requests, in their order. */
  readonly faults: (StripeFault | undefined)[] = [];
  readonly customers = new Set<string>();
  requests = 0;
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  private constructor(now: () => number) {
    this.#now = now;
  }

  /** @param now milliseconds since the epoch */
  static async start(now: () => number): Promise<StripeStandIn> {
    const stripe = new StripeStandIn(now);
    await new Promise<void>((resolve) => stripe.#server.listen(0, '127.0.0.1', resolve));
    return stripe;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray()).toString();
    this.requests += 1;
    const fault = this.faults.shift();
    if (fault === 'reset') {
      request.socket.destroy();
      return;
    }
    const send = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(text);
    };
    if (request.method !== 'POST' || request.url !== '/v1/billing/meter_events')
      return send(404, problem('no such route'));
    if (request.headers.authorization !== `Bearer ${KEY}`) return send(401, problem('Invalid API Key provided'));
    if (fault === 429) return send(429, problem('Too many requests', 'rate_limit'));
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string') return send(400, problem('this stand-in wants an Idempotency-Key'));
    const kept = this.#kept.get(key);
    if (kept && kept.body !== body)
      return send(
        400,
        problem('Keys for idempotent requests can only be used with the same parameters', 'idempotency_error'),
      );
    const answer = kept ?? { body, ...(fault === 500 ? { status: 500, text: problem('fault') } : this.#take(body)) };
    if (!kept && fault === 'taken-500') Object.assign(answer, { status: 500, text: problem('fault') });
    this.#kept.set(key, answer);
    if (fault === 'lost') request.socket.destroy();
    else send(answer.status, answer.text);
  }

  #take(body: string): { status: number; text: string } {
    const form = new URLSearchParams(body);
    const event = {
      eventName: form.get('event_name') ?? '',
      identifier: form.get('identifier') ?? '',
      customerId: form.get('payload[stripe_customer_id]') ?? '',
      value: Number(form.get('payload[value]')),
      timestamp: Number(form.get('timestamp')),
    };
    const age = this.#now() / 1000 - event.timestamp;
    const refuse = (message: string, code?: string) => ({ status: 400, text: problem(message, code) });
    if (!/^carcosa_[a-z_]+$/.test(event.eventName)) return refuse('no meter has events of this name');
    if (event.identifier === '' || event.identifier.length > 100) return refuse('bad identifier');
    if (!Number.isSafeInteger(event.value) || event.value < 0) return refuse('bad value');
    if (!(age <= MAX_AGE_SECONDS && age >= -MAX_AHEAD_SECONDS)) return refuse('bad timestamp');
    if (!this.customers.has(event.customerId))
      return refuse(`No such customer: '${event.customerId}'`, 'resource_missing');
    if (this.events.some(({ identifier }) => identifier === event.identifier))
      return refuse(`An event already exists with identifier ${event.identifier}.`);
    this.events.push(event);
    return { status: 200, text: JSON.stringify({ object: 'billing.meter_event', identifier: event.identifier }) };
  }
}

const problem = (message: string, code?: string): string =>
  JSON.stringify({ error: { type: 'invalid_request_error', message, ...(code === undefined ? {} : { code }) } });

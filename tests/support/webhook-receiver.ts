import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that a receiver has read. */
export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  text: string;
  body: { type: string; timestamp: string; data: Record<string, unknown> };
}

/** What a receiver does with a request it has read; absent: it answers 204. */
export type Behaviour = (response: ServerResponse, received: Received, request: IncomingMessage) => void;

/** Somebody who takes webhooks, on a port of this machine. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  behaviour: Behaviour = (response) => response.writeHead(204).end();
  readonly #server = createServer((request, response) => void this.#take(request, response));

  static async open(behaviour?: Behaviour): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    if (behaviour) receiver.behaviour = behaviour;
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await request
      .setEncoding('utf8')
      .toArray()
      .then((chunks) => chunks.join(''))
      .catch(() => '');
    if (text === '') return;
    const received = { path: request.url ?? '', headers: request.headers, text, body: JSON.parse(text) };
    this.received.push(received);
    this.behaviour(response, received, request);
  }
}

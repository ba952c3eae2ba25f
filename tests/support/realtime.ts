import { io, type Socket } from 'socket.io-client';
import WebSocket from 'ws';
import { until } from './clock.ts';

/** An event, as far as these suites look at it. */
export interface Told {
  id: string;
  type: string;
  projectId: string | null;
  tenantId: string | null;
  resourceId: string | null;
  data: Record<string, unknown>;
}

export interface Progress {
  id: string;
  status: string;
  progress: number;
  bytes?: { done: number; total: number | null };
  error?: string;
}

/** What has been heard, in the order in which it came. */
export class Heard {
  readonly events: Told[] = [];
  readonly progress: Progress[] = [];
  readonly closings: { error: string; message: string }[] = [];
  readonly left: { room: string; error: string }[] = [];
  /** The cursor of the last event. */
  cursor: string | undefined;

  event(event: Told, cursor: string): void {
    this.events.push(event);
    this.cursor = cursor;
  }

  /** The resources of the events, in their order. */
  get resources(): (string | null)[] {
    return this.events.map(({ resourceId }) => resourceId);
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  /** Waits for the event that fits. */
  until(fits: (event: Told) => boolean, what = 'the event'): Promise<Told> {
    return until(() => this.events.find(fits), { what });
  }
}

type Answer = {
  success?: true;
  data?: { rooms: string[]; cursor?: string };
  error?: string;
  message?: string;
  status?: number;
};

export interface SocketClient {
  socket: Socket;
  heard: Heard;
  /** Why it could not connect, or that it did. */
  connected: Promise<{ error: string } | null>;
  subscribe(rooms: string[], since?: string): Promise<Answer>;
  send(event: string, message: unknown): Promise<Answer>;
  close(): void;
}

export interface SocketOptions {
  token?: string | undefined;
  headers?: Record<string, string>;
  transports?: ('polling' | 'websocket')[];
  reconnection?: boolean;
}

export function connectSocket(url: string, options: SocketOptions = {}): SocketClient {
  const { token, headers = {}, transports = ['websocket'], reconnection = false } = options;
  const socket = io(url, {
    ...{
      transports,
      reconnection,
      forceNew: true,
      extraHeaders: headers,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
    },
    ...(token === undefined ? {} : { auth: { token } }),
  });
  const heard = new Heard();
  socket.on('event', (event: Told, cursor: string) => heard.event(event, cursor));
  socket.on('progress', (state: Progress) => void heard.progress.push(state));
  socket.on('closing', (why: { error: string; message: string }) => void heard.closings.push(why));
  socket.on('left', (what: { room: string; error: string }) => void heard.left.push(what));
  const connected = new Promise<{ error: string } | null>((resolve) => {
    socket.once('connect', () => resolve(null));
    socket.once('connect_error', (error) => {
      const { data } = error as Error & { data?: { error: string } };
      resolve(data ?? { error: error.message });
    });
  });
  const send = (event: string, message: unknown): Promise<Answer> =>
    socket.timeout(15_000).emitWithAck(event, message) as Promise<Answer>;
  return {
    ...{ socket, heard, connected, send },
    subscribe: (rooms, since) => send('subscribe', { rooms, ...(since === undefined ? {} : { since }) }),
    close: () => void socket.disconnect(),
  };
}

export interface EventStream {
  status: number;
  heard: Heard;
  /** Of an answer that is no stream. */
  body: { error?: string } | null;
  /** The comments and fields that were sent beside messages. */
  comments: string[];
  ended: Promise<void>;
  close(): void;
}

/** Server-Sent Events over fetch, as the specification reads them. */
export async function openEventStream(address: string, headers: Record<string, string>): Promise<EventStream> {
  const cut = new AbortController();
  const response = await fetch(address, { headers, signal: cut.signal });
  const heard = new Heard();
  const comments: string[] = [];
  const close = (): void => cut.abort();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) {
    const body = (await response.json()) as { error?: string };
    return { status: response.status, heard, body, comments, ended: Promise.resolve(), close };
  }
  const read = async (body: ReadableStream<Uint8Array>): Promise<void> => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        take(text.slice(0, at));
        text = text.slice(at + 2);
      }
    }
  };
  const take = (block: string): void => {
    const fields = new Map(
      block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
    );
    const data = fields.get('data');
    if (data === undefined) {
      comments.push(block);
      heard.cursor = fields.get('id') ?? heard.cursor;
    } else if (fields.get('event') === 'progress') heard.progress.push(JSON.parse(data));
    else if (fields.get('event') === 'closing') heard.closings.push(JSON.parse(data));
    else heard.event(JSON.parse(data), fields.get('id') ?? '');
  };
  const ended = read(response.body).catch(() => {});
  return { status: response.status, heard, body: null, comments, ended, close };
}

export interface OperationSocket {
  client: WebSocket;
  messages: Progress[];
  /** The status of the answer where there was no upgrade; else the code of the end. */
  ended: Promise<{ refused?: number; code?: number }>;
  close(): void;
}

export function followOperation(
  url: string,
  id: string,
  { headers = {}, protocols = [] }: { headers?: Record<string, string>; protocols?: string[] } = {},
): OperationSocket {
  const client = new WebSocket(`${url.replace(/^http/, 'ws')}/ws/operations/${id}`, protocols, { headers });
  const messages: Progress[] = [];
  client.on('message', (text) => void messages.push(JSON.parse(String(text))));
  const ended = new Promise<{ refused?: number; code?: number }>((resolve) => {
    client.on('unexpected-response', (_request, response) => {
      response.resume();
      resolve({ refused: response.statusCode ?? 0 });
    });
    client.on('close', (code) => resolve({ code }));
    client.on('error', () => {});
  });
  return { client, messages, ended, close: () => client.terminate() };
}

/** The text of an answer; nothing of a stream, which would not end. */
export async function textOf(response: Response): Promise<string> {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return await response.text();
  await response.body?.cancel();
  return '';
}

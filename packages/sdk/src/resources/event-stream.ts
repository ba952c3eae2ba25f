import { CarcosaError, cancelled } from '../errors.ts';
import type { Http, QueryOf } from '../http.ts';
import type { Event } from '../openapi.ts';
import { backoff } from '../timing.ts';

export type StreamQuery = QueryOf<'GET /events/stream'>;

export interface StreamedEvent {
  event: Event;
  /** Give it as `since` to go on behind this event, at any time. */
  cursor: string;
}

/** A connection that fails is made anew, and goes on where it was: nothing is missed and nothing comes twice. Ends by the signal. */
export async function* streamEvents(
  http: Http,
  query: StreamQuery,
  signal?: AbortSignal,
): AsyncGenerator<StreamedEvent> {
  const { timing } = http.settings;
  let { since } = query;
  for (let attempt = 1; ; attempt++) {
    try {
      const all = http.inProject({ ...query, ...(since === undefined ? {} : { since }) });
      const { body } = await http.send('GET /events/stream', { query: all }, { signal });
      for await (const { id, type, data } of messagesOf(body)) {
        attempt = 1;
        if (id) since = id;
        if (type === 'message' || type === 'event') yield { event: JSON.parse(data), cursor: since ?? '' };
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof CarcosaError && !error.retryable) throw error;
    }
    await timing.sleep(backoff(attempt, timing), signal).catch(() => {});
    if (signal?.aborted) return;
  }
}

interface Message {
  id: string;
  type: string;
  data: string;
}

/** Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as our server writes them. */
async function* messagesOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Message> {
  if (!body) throw cancelled();
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      text += decoder.decode(read.value, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string): string[] =>
          block
            .split(/\r?\n/)
            .filter((line) => line.startsWith(`${name}:`))
            .map((line) => line.slice(name.length + 1).replace(/^ /, ''));
        const data = field('data').join('\n');
        if (data) yield { id: field('id')[0] ?? '', type: field('event')[0] ?? 'message', data };
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

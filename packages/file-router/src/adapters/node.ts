/** A request of Node's own server, as far as it is needed: frameworks hand it on, some with a body that they have read already. */
export interface NodeRequest extends AsyncIterable<unknown> {
  method?: string | undefined;
  url?: string | undefined;
  /** Express: with the part that the router was mounted at. */
  originalUrl?: string | undefined;
  headers: Record<string, string | string[] | undefined>;
  /** Where somebody has parsed it. */
  body?: unknown;
  socket?: unknown;
}

export interface NodeResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

/** The same request as the standard has it. */
export async function toRequest(incoming: NodeRequest): Promise<Request> {
  const { method = 'GET', headers } = incoming;
  const forwarded = firstOf(headers['x-forwarded-proto']);
  const scheme = forwarded ?? (isEncrypted(incoming.socket) ? 'https' : 'http');
  const host = firstOf(headers['x-forwarded-host']) ?? firstOf(headers.host) ?? 'localhost';
  const url = new URL(incoming.originalUrl ?? incoming.url ?? '/', `${scheme}://${host}`);
  const copied = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    // Those of HTTP/2 that begin with ":" are no headers.
    if (value !== undefined && !name.startsWith(':')) copied.set(name, [value].flat().join(', '));
  }
  return new Request(url, { method, headers: copied, ...(method === 'GET' ? {} : { body: await bodyOf(incoming) }) });
}

export async function sendResponse(response: Response, outgoing: NodeResponse): Promise<void> {
  outgoing.statusCode = response.status;
  response.headers.forEach((value, name) => {
    outgoing.setHeader(name, value);
  });
  outgoing.end(await response.text());
}

/** A body that was parsed is written again: what Carcosa sends comes out as it was, since JSON keeps the order of its fields. */
async function bodyOf(incoming: NodeRequest): Promise<string> {
  const { body } = incoming;
  if (typeof body === 'string') return body;
  if (body !== undefined && body !== null && !(body instanceof Uint8Array)) return JSON.stringify(body);
  const decoder = new TextDecoder();
  if (body instanceof Uint8Array) return decoder.decode(body);
  let text = '';
  for await (const chunk of incoming) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}

const firstOf = (value: string | string[] | undefined): string | undefined => [value].flat()[0]?.split(',')[0]?.trim();

const isEncrypted = (socket: unknown): boolean =>
  typeof socket === 'object' && socket !== null && 'encrypted' in socket && socket.encrypted === true;

import { type CallbackMessage, reasonOf } from './callbacks.ts';
import type { Connection } from './environment.ts';

export interface RegisterInput {
  fileKeys: readonly string[];
  metadata: Record<string, unknown>;
  callbackUrl: string;
  slug: string;
  awaitServerData: boolean;
}

/** Says where this app is to be told of these files. @throws Error when Carcosa does not take it */
export async function register(connection: Connection, input: RegisterInput): Promise<void> {
  const response = await send(connection, input, false);
  if (!response.ok) throw new Error(`Carcosa does not take what this app wants to hear: ${await reasonOf(response)}`);
  await response.body?.cancel();
}

/**
 * The same for an app in development, which nobody outside can reach: it is told by the answer, for as long as that is open.
 * @returns when all files were told of; `begun` is called when Carcosa has taken it
 */
export async function listen(
  connection: Connection,
  input: RegisterInput,
  { begun, tell }: { begun: () => void; tell: (message: CallbackMessage) => Promise<void> },
): Promise<void> {
  const response = await send(connection, input, true);
  if (!response.ok || !response.body) {
    throw new Error(`Carcosa does not take what this app wants to hear: ${await reasonOf(response)}`);
  }
  begun();
  let rest = '';
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter(Boolean)) {
      const { payload, signature, hook } = JSON.parse(line) as Omit<CallbackMessage, 'callbackId'>;
      await tell({ payload, signature, hook, callbackId: null }).catch(connection.onError);
    }
  }
}

function send({ url, apiKey, fetch: request }: Connection, input: RegisterInput, isDev: boolean): Promise<Response> {
  const { slug: callbackSlug, ...rest } = input;
  return request(`${url}/uploadthing/ingest/route-metadata`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-uploadthing-api-key': apiKey },
    body: JSON.stringify({ ...rest, callbackSlug, isDev }),
  });
}

import type { Connection } from './environment.ts';
import { UploadError } from './errors.ts';
import { verify } from './signature.ts';
import type { CompleteOptions, ErrorOptions, RouteDefinition, UploadedFile } from './types.ts';

/** One word of Carcosa about an upload. */
export interface CallbackMessage {
  hook: 'callback' | 'error';
  /** As it was signed. */
  payload: string;
  signature: string | null;
  callbackId: string | null;
}

interface Completed {
  file: UploadedFile;
  metadata: Record<string, unknown>;
  /** Where the file kept the key that it had at its path. */
  uploadKey?: string;
}

/**
 * Runs what the route says of an upload, and tells Carcosa what came of it.
 * @throws UploadError `signature_invalid` for what nobody with the key has signed; what the route throws: then Carcosa tries again
 */
export async function runCallback(
  connection: Connection,
  route: RouteDefinition,
  message: CallbackMessage,
  caller: { request: Request; context: unknown },
): Promise<void> {
  const { hook, payload, signature, callbackId } = message;
  if (!(await verify(payload, signature, connection.apiKey))) {
    throw new UploadError('This was not signed with the key of this app.', { code: 'signature_invalid', status: 403 });
  }
  if (hook === 'error') {
    const { fileKey, error } = JSON.parse(payload) as { fileKey: string; error: string };
    const failure = new UploadError(error, { code: 'upload_failed' });
    await route.onUploadError?.({ ...caller, error: failure, fileKey } as ErrorOptions<never>);
    return;
  }
  const { file, metadata, uploadKey: fileKey = file.key } = JSON.parse(payload) as Completed;
  try {
    const options = { ...caller, metadata, file, callbackId } as CompleteOptions<never, never>;
    const result = await route.onUploadComplete(options);
    await answer(connection, { fileKey, callbackData: result ?? null });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await answer(connection, { fileKey, error: `onUploadComplete failed: ${reason}` }).catch(connection.onError);
    throw error;
  }
}

async function answer({ url, apiKey, fetch: send }: Connection, body: object): Promise<void> {
  const response = await send(`${url}/uploadthing/ingest/callback-result`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-uploadthing-api-key': apiKey },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`Carcosa did not take the result of onUploadComplete: ${await reasonOf(response)}`);
}

export async function reasonOf(response: Response): Promise<string> {
  const body = (await response.json().catch(() => null)) as { message?: string } | null;
  return `${response.status} ${body?.message ?? ''}`.trim();
}

import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { CarcosaError, cancelled, noAnswer } from '../errors.ts';
import type { UploadBody } from '../upload/source.ts';
import { STALL_MS, type Transport, type TransportRequest } from '../upload/transport.ts';
import { type FileRange, shrunk } from './source.ts';

/** Bytes of a file that are read at once: larger ones leave the processor's cache before they are sent. */
const READ_BYTES = 512 * 1024;

/**
 * Sends bytes by Node's own client, which tells how far it is and takes files without turning them into web streams. Connections are
 * kept for the next request.
 */
export function nodeTransport(): Transport {
  const agents = { 'http:': new HttpAgent({ keepAlive: true }), 'https:': new HttpsAgent({ keepAlive: true }) };
  return (request) =>
    new Promise((resolve, reject) => {
      const { signal, method, headers, body } = request;
      if (signal.aborted) return reject(cancelled());
      const url = new URL(request.url);
      const isSecure = url.protocol === 'https:';
      const agent = isSecure ? agents['https:'] : agents['http:'];
      const length = sizeOf(body);
      const all = { ...headers, ...(body || method !== 'HEAD' ? { 'content-length': length } : {}) };
      const outgoing = (isSecure ? requestHttps : requestHttp)(url, { method, agent, headers: all });
      const abort = (): void => fail(cancelled());
      const settle = (): void => signal.removeEventListener('abort', abort);
      const fail = (error: Error): void => {
        settle();
        reject(error instanceof CarcosaError ? error : noAnswer(error));
        outgoing.destroy();
      };
      signal.addEventListener('abort', abort);
      outgoing.setTimeout(STALL_MS, () => fail(noAnswer(new Error('nothing moved for a minute'))));
      outgoing.on('error', fail);
      outgoing.on('response', (answer) => {
        readAnswer(answer).then((text) => {
          settle();
          // Refused before all of it was sent: the rest would only keep the connection busy.
          if (!outgoing.writableFinished) outgoing.destroy();
          const header = (name: string): string | null => answer.headers[name]?.toString() ?? null;
          resolve({ status: answer.statusCode ?? 0, header, text });
        }, fail);
      });
      send(outgoing, request).catch(fail);
    });
}

function sizeOf(body: UploadBody | null): number {
  if (body === null) return 0;
  return body instanceof Uint8Array ? body.byteLength : body.size;
}

async function readAnswer(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of answer.setEncoding('utf8')) text += piece;
  return text;
}

async function send(outgoing: ClientRequest, { body, onProgress }: TransportRequest): Promise<void> {
  if (body && 'foreign' in body) await sendFile(outgoing, body.foreign as FileRange, onProgress);
  else if (body instanceof Blob) {
    let sent = 0;
    for await (const piece of body.stream()) {
      await write(outgoing, piece);
      sent += piece.byteLength;
      onProgress?.(sent);
    }
  } else if (body) {
    await write(outgoing, body as Uint8Array);
    onProgress?.(body.byteLength);
  }
  outgoing.end();
}

/** Two buffers in turn: one is filled while the other goes out. */
async function sendFile(
  outgoing: ClientRequest,
  { file, start, size }: FileRange,
  onProgress: TransportRequest['onProgress'],
): Promise<void> {
  const length = Math.min(READ_BYTES, size);
  const buffers = [Buffer.allocUnsafeSlow(length), Buffer.allocUnsafeSlow(size > length ? length : 0)] as const;
  let writing: Promise<void> = Promise.resolve();
  // A failure is seen at the next turn.
  writing.catch(() => {});
  for (let sent = 0, turn = 0; sent < size; turn ^= 1) {
    const buffer = buffers[turn as 0 | 1];
    const { bytesRead } = await file.read(buffer, 0, Math.min(length, size - sent), start + sent);
    if (bytesRead === 0) throw shrunk('The file');
    await writing;
    onProgress?.(sent);
    writing = write(outgoing, buffer.subarray(0, bytesRead));
    writing.catch(() => {});
    sent += bytesRead;
  }
  await writing;
  onProgress?.(size);
}

/** Resolves when the system has taken the bytes, so that their memory can be used again. */
function write(outgoing: ClientRequest, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    outgoing.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

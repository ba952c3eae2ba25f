import { CarcosaError, errorOfAnswer, isCarcosaError } from '../errors.ts';
import type { File } from '../openapi.ts';
import { persist, sendBytes, slice, type UploadRun } from './context.ts';

const VERSION = { 'tus-resumable': '1.0.0' };
const TYPE = { 'content-type': 'application/offset+octet-stream' };
/** Bytes of a stream that are kept until the server has them. */
const CHUNK = 8 * 1024 * 1024;

/** Resumable to the byte (https://tus.io/protocols/resumable-upload), and for streams whose length nobody knows. */
export async function uploadByTus(run: UploadRun): Promise<File> {
  const { http, memory, source, signal } = run;
  const id = memory.uploadId ?? (await create(run));
  if (source.stream) await sendStream(run, id, source.stream);
  else await sendRest(run, id, source.size ?? 0);
  const input = { path: { id }, body: {} };
  return persist(run, () => http.call('POST /uploads/{id}/complete', input, { signal }));
}

async function create(run: UploadRun): Promise<string> {
  const { http, source, memory, signal, target } = run;
  const { tenantId, projectId } = target;
  const query = http.inProject({ ...(tenantId ? { tenantId } : {}), ...(projectId ? { projectId } : {}) });
  const { size } = source;
  const url = http.address('POST /tus', { query });
  return persist(run, async () => {
    const headers = {
      ...(await http.authorization()),
      ...VERSION,
      ...(size === null ? { 'upload-defer-length': '1' } : { 'upload-length': String(size) }),
      'upload-metadata': metadataOf(run),
      'idempotency-key': memory.idempotencyKey,
    };
    const answer = await run.transport({ method: 'POST', url, headers, body: null, signal });
    if (answer.status !== 201) throw errorOfAnswer(answer.status, answer.text, answer.header);
    const id = answer.header('location')?.split('/').pop();
    if (!id) throw new CarcosaError('invalid_response', 'The upload was begun, but has no address.');
    memory.uploadId = id;
    return id;
  });
}

function metadataOf({ source, target, memory }: UploadRun): string {
  const { path, fileName = source.name || 'file', contentType = source.type, visibility, metadata = {} } = target;
  const { fingerprint } = memory;
  const own = { filename: fileName, filetype: contentType, path, visibility, fingerprint };
  return Object.entries({ ...metadata, ...own })
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => {
      if (typeof value !== 'string' || !/^[\x21-\x2b\x2d-\x7e]+$/.test(key))
        throw new CarcosaError('invalid_argument', `tus carries metadata of text alone: ${key} is something else.`);
      return `${key} ${btoa(String.fromCharCode(...new TextEncoder().encode(value)))}`;
    })
    .join(',');
}

/** Where the server stands. */
async function offsetOf({ http, transport, signal }: UploadRun, id: string): Promise<number> {
  const url = http.address('HEAD /tus/{id}', { path: { id } });
  const headers = { ...(await http.authorization()), ...VERSION };
  const answer = await transport({ method: 'HEAD', url, headers, body: null, signal });
  // An answer to HEAD has no body that could say more.
  if (answer.status === 404 || answer.status === 410)
    throw new CarcosaError('upload_not_open', 'This upload has ended; begin it again.', { status: answer.status });
  if (answer.status >= 400) throw errorOfAnswer(answer.status, answer.text, answer.header);
  return Number(answer.header('upload-offset'));
}

async function sendRest(run: UploadRun, id: string, size: number): Promise<void> {
  let before = -1;
  let moved = false;
  await persist(
    run,
    async () => {
      const offset = await offsetOf(run, id);
      moved = offset > before;
      before = offset;
      run.meter.begin(offset);
      if (offset < size) await patch(run, id, offset, slice(run.source, offset, size), size - offset);
    },
    () => moved,
  );
}

async function patch(
  run: UploadRun,
  id: string,
  offset: number,
  body: ReturnType<typeof slice> | null,
  size: number,
  headers: Record<string, string> = {},
): Promise<void> {
  const { http } = run;
  const url = http.address('PATCH /tus/{id}', { path: { id } });
  const all = { ...(await http.authorization()), ...VERSION, ...TYPE, 'upload-offset': String(offset), ...headers };
  await sendBytes(run, { method: 'PATCH', url, headers: all, body }, size);
}

async function sendStream(run: UploadRun, id: string, stream: AsyncIterable<Uint8Array>): Promise<void> {
  let offset = 0;
  run.meter.begin(0);
  for await (const chunk of chunksOf(stream)) {
    await persist(run, async () => {
      try {
        await patch(run, id, offset, chunk, chunk.byteLength);
      } catch (error) {
        if (!(error instanceof CarcosaError) || !(error.retryable || isCarcosaError(error, 'upload_offset_mismatch')))
          throw error;
        // Some of it may have arrived.
        const at = await offsetOf(run, id);
        if (at !== offset + chunk.byteLength) await patch(run, id, at, chunk.subarray(at - offset), chunk.byteLength);
      }
    });
    offset += chunk.byteLength;
  }
  const length = { 'upload-length': String(offset) };
  run.meter.total = offset;
  await persist(run, () => patch(run, id, offset, new Uint8Array(0), 0, length));
}

async function* chunksOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let chunk = new Uint8Array(CHUNK);
  let filled = 0;
  for await (const piece of stream) {
    for (let at = 0; at < piece.byteLength; ) {
      const take = Math.min(CHUNK - filled, piece.byteLength - at);
      chunk.set(piece.subarray(at, at + take), filled);
      filled += take;
      at += take;
      if (filled < CHUNK) continue;
      yield chunk;
      chunk = new Uint8Array(CHUNK);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

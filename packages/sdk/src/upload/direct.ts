import { CarcosaError, isCarcosaError } from '../errors.ts';
import type { File, Upload } from '../openapi.ts';
import { type BytesRequest, persist, sendBytes, slice, type UploadRun } from './context.ts';
import { uploadByTus } from './tus.ts';

/** From here the server cuts uploads into parts: what is smaller can be continued by tus alone. */
const PARTS_FROM = 16 * 1024 * 1024;
/** Addresses that are asked for at once: they expire within the hour. */
const SIGNED_AT_ONCE = 64;
/** How often the server may find parts missing that were taken. */
const COMPLETIONS = 3;

interface Part {
  partNumber: number;
  start: number;
  end: number;
}

interface Signed {
  url: string;
  headers: Record<string, string>;
}

/**
 * The bytes straight to the bucket, large ones in parts side by side: `POST /uploads/init`, PUT, `complete`. Where nothing else was asked for,
 * the server may say that tus is the better way.
 */
export async function uploadDirectly(run: UploadRun): Promise<File> {
  const { http, memory, signal } = run;
  const id = memory.uploadId ?? (await begin(run));
  if (memory.protocol === 'tus') return uploadByTus(run);
  const input = { path: { id } };
  for (let attempt = 1; ; attempt++) {
    const upload = await persist(run, () => http.call('GET /uploads/{id}', input, { signal }));
    if (upload.status === 'open') await sendMissing(run, upload);
    try {
      return await persist(run, () => http.call('POST /uploads/{id}/complete', { ...input, body: {} }, { signal }));
    } catch (error) {
      if (!isCarcosaError(error, 'upload_incomplete') || attempt >= COMPLETIONS) throw error;
    }
  }
}

async function begin(run: UploadRun): Promise<string> {
  const { http, source, target, memory, checksum, signal } = run;
  const { fileName = source.name || 'file', contentType = source.type, ...rest } = target;
  const body = http.inProject({
    ...rest,
    fileName,
    size: source.size ?? 0,
    ...(contentType ? { contentType } : {}),
    ...(checksum === undefined ? {} : { checksum }),
    ...(memory.fingerprint === undefined ? {} : { fingerprint: memory.fingerprint }),
    ...(memory.protocol === undefined ? { tus: run.prefersTus || (source.size ?? 0) < PARTS_FROM } : {}),
  });
  const headers = { 'idempotency-key': memory.idempotencyKey };
  const begun = await persist(run, () => http.call('POST /uploads/init', { body }, { signal, headers }));
  const { uploadId, strategy } = begun;
  memory.uploadId = uploadId;
  memory.protocol = strategy === 'tus' ? 'tus' : 'direct';
  return uploadId;
}

async function sendMissing(run: UploadRun, upload: Upload): Promise<void> {
  const missing = missingParts(upload);
  run.meter.begin((upload.size ?? 0) - missing.reduce((sum, { start, end }) => sum + end - start, 0));
  const addresses = new Addresses(run, upload.id, missing);
  const failed = new AbortController();
  const { signal } = failed;
  const stop = (): void => failed.abort();
  run.signal.addEventListener('abort', stop);
  const worker = async (): Promise<void> => {
    for (let part = missing.shift(); part && !signal.aborted; part = missing.shift())
      await sendPart({ ...run, signal }, addresses, part);
  };
  const workers = Array.from({ length: Math.min(run.parallelParts, missing.length) }, async () => {
    try {
      await worker();
    } catch (error) {
      // One that cannot go on ends the others: they would send for nothing.
      stop();
      throw error;
    }
  });
  const ends = await Promise.allSettled(workers);
  run.signal.removeEventListener('abort', stop);
  const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (errors.length > 0) throw errors.find((error) => !isCarcosaError(error, 'cancelled')) ?? errors[0];
}

function missingParts({ size, partSize, partCount = 1, parts = [] }: Upload): Part[] {
  const total = size ?? 0;
  const length = partSize ?? total;
  const there = new Map(parts.map((part) => [part.partNumber, part.size]));
  return Array.from({ length: partCount }, (_, index) => ({
    partNumber: index + 1,
    start: index * length,
    end: Math.min(total, (index + 1) * length),
  })).filter(({ partNumber, start, end }) => there.get(partNumber) !== end - start);
}

async function sendPart(run: UploadRun, addresses: Addresses, { partNumber, start, end }: Part): Promise<void> {
  let isFresh = false;
  await persist(run, async () => {
    const signed = await addresses.of(partNumber, isFresh);
    const request: BytesRequest = { method: 'PUT', ...signed, body: slice(run.source, start, end) };
    try {
      await sendBytes(run, request, end - start);
    } catch (error) {
      // The address has expired while the upload was paused or its turn had not come; providers say so in their own words.
      if (!(error instanceof CarcosaError) || error.status !== 403 || isFresh) throw error;
      isFresh = true;
      await sendBytes(run, { ...request, ...(await addresses.of(partNumber, true)) }, end - start);
    }
  });
}

/** Signed addresses, asked for many at a time. */
class Addresses {
  readonly #run: UploadRun;
  readonly #id: string;
  readonly #numbers: number[];
  readonly #known = new Map<number, Signed>();
  #asking: Promise<void> | undefined;

  constructor(run: UploadRun, id: string, parts: readonly Part[]) {
    this.#run = run;
    this.#id = id;
    this.#numbers = parts.map(({ partNumber }) => partNumber);
  }

  async of(partNumber: number, isFresh: boolean): Promise<Signed> {
    if (isFresh) this.#known.delete(partNumber);
    for (;;) {
      const known = this.#known.get(partNumber);
      if (known) return known;
      this.#asking ??= this.#ask(partNumber).finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
  }

  async #ask(from: number): Promise<void> {
    const at = this.#numbers.indexOf(from);
    const partNumbers = this.#numbers.slice(at, at + SIGNED_AT_ONCE);
    const { http, signal } = this.#run;
    const input = { path: { id: this.#id }, body: { partNumbers } };
    const { parts } = await http.call('POST /uploads/{id}/parts', input, { signal });
    for (const { partNumber, ...signed } of parts) this.#known.set(partNumber, signed);
  }
}

import { CarcosaError, cancelled, errorOfAnswer } from '../errors.ts';
import type { Http } from '../http.ts';
import { backoff, type Timing, whenOnline } from '../timing.ts';
import type { ProgressMeter } from './progress.ts';
import type { UploadBody, UploadSource } from './source.ts';
import type { Transport, TransportAnswer } from './transport.ts';

/** What the file will be. */
export interface UploadTarget {
  /** Where in the project, such as "photos/cat.jpg"; a file that is there gets a new version. Default: a folder of its own. */
  path?: string;
  /** Default: the name of the file. */
  fileName?: string;
  /** MIME, as the sender says; the server looks at the bytes itself. Default: what the file says of itself. */
  contentType?: string;
  /** Default: that of the project. */
  visibility?: 'public' | 'private';
  /** Up to 16 KiB of JSON. */
  metadata?: Record<string, unknown>;
  tenantId?: string;
  projectId?: string;
}

/** How it goes there. */
export type UploadProtocol = 'auto' | 'simple' | 'direct' | 'tus';

/** What survives a pause. */
export interface UploadMemory {
  uploadId?: string;
  protocol?: Exclude<UploadProtocol, 'auto'>;
  /** Makes the repeated beginning of an upload the same one. */
  idempotencyKey: string;
  fingerprint?: string | undefined;
  /** A request whose answer never came may have been served. */
  isDoubtful?: boolean;
}

/** What it takes to send bytes. */
export interface BytesLine {
  readonly transport: Transport;
  readonly timing: Timing;
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal;
}

/** One run of an upload, from its start or resumption to its end, pause or failure. */
export interface UploadRun extends BytesLine {
  readonly http: Http;
  readonly source: UploadSource;
  readonly target: UploadTarget;
  readonly memory: UploadMemory;
  readonly parallelParts: number;
  /** `sha256:<hex>` of the whole content, where the caller knows it. */
  readonly checksum: string | undefined;
  readonly hashes: boolean;
  /** Tells progress by the byte and has one fast connection: tus is as good as parts side by side. */
  readonly prefersTus: boolean;
}

/** Attempts without any progress before an upload gives up; with waiting, about three minutes. */
const ATTEMPTS = 10;

/**
 * Repeats what failed in passing, with growing pauses. `moved` tells whether an attempt got anything across, which counts as a fresh start.
 */
export async function persist<Result>(
  { timing, signal }: Pick<BytesLine, 'timing' | 'signal'>,
  work: () => Promise<Result>,
  moved: () => boolean = () => false,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw cancelled();
      if (!(error instanceof CarcosaError && error.retryable)) throw error;
      if (moved()) attempt = 1;
      if (attempt >= ATTEMPTS) throw error;
      await timing.sleep(backoff(attempt, timing, error.retryAfter), signal);
      await whenOnline(signal);
    }
  }
}

export interface BytesRequest {
  method: 'PUT' | 'POST' | 'PATCH';
  url: string;
  headers: Record<string, string>;
  body: UploadBody | null;
}

/** Sends bytes and counts them. @throws CarcosaError for any answer that is no success */
export async function sendBytes(
  { transport, meter, signal }: BytesLine,
  request: BytesRequest,
  /** Bytes that the server has when it answers with success. */
  size: number,
): Promise<TransportAnswer> {
  let stored = 0;
  try {
    const onProgress = (bytes: number): void => meter.sending(request, Math.min(bytes, size));
    const answer = await transport({ ...request, signal, onProgress });
    if (answer.status >= 400) throw errorOfAnswer(answer.status, answer.text, answer.header);
    stored = size;
    return answer;
  } finally {
    meter.ended(request, stored);
  }
}

/** The file in an answer that has one. */
export function fileOf<File>({ text }: TransportAnswer): File {
  try {
    return JSON.parse(text).data;
  } catch (error) {
    throw new CarcosaError('invalid_response', 'The upload was not answered with a file.', { cause: error });
  }
}

/** Bytes of a source that has slices. */
export function slice({ slice: cut }: UploadSource, start: number, end: number): UploadBody {
  if (!cut) throw new CarcosaError('invalid_argument', 'A stream can be sent by tus alone.');
  return cut(start, end);
}

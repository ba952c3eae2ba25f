import { CarcosaError } from '../errors.ts';

/** Bytes that a transport of one platform knows how to send: a range of a file in Node. */
export interface ForeignBody {
  readonly foreign: unknown;
  readonly size: number;
}
export type UploadBody = Blob | Uint8Array<ArrayBuffer> | ForeignBody;

/** Something to upload. */
export interface UploadSource {
  readonly name: string;
  /** MIME; "" where it is not known. */
  readonly type: string;
  /** Bytes; null for a stream of which nobody knows. */
  readonly size: number | null;
  /** Milliseconds since the epoch; absent for what is no file. */
  readonly lastModified?: number | undefined;
  /** The bytes from `start` up to `end`; not there for a stream. */
  slice?(start: number, end: number): UploadBody;
  /** The same in memory. @throws CarcosaError `source_unreadable` */
  read?(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Of a stream: what it brings, once. */
  readonly stream?: AsyncIterable<Uint8Array>;
  /** Lets go of what is open. */
  close?(): Promise<void>;
}

/** A file of React Native: its picker gives such things. */
export interface UriFile {
  readonly uri: string;
  readonly name?: string | null;
  readonly type?: string | null;
}

/** What can be uploaded anywhere: `@carcosa/sdk/node` adds paths and Node's streams. */
export type UploadInput =
  | Blob
  | ArrayBuffer
  | Uint8Array
  | string
  | ReadableStream<Uint8Array>
  | UriFile
  | UploadSource;

/** @throws CarcosaError `invalid_argument` for what is no content */
export async function sourceOf(input: UploadInput): Promise<UploadSource> {
  if (typeof input === 'string') return blobSource(new Blob([input], { type: 'text/plain;charset=utf-8' }));
  if (input instanceof Blob) return blobSource(input);
  if (input instanceof ArrayBuffer || ArrayBuffer.isView(input)) return blobSource(new Blob([input as BufferSource]));
  if (typeof ReadableStream !== 'undefined' && input instanceof ReadableStream) return streamSource(input);
  if (typeof input !== 'object' || input === null) throw noContent();
  if (isUriFile(input)) {
    const blob = await (await fetch(input.uri)).blob();
    return { ...blobSource(blob), name: input.name || nameOfUri(input.uri), type: input.type || blob.type };
  }
  if (isSource(input)) return input;
  throw noContent();
}

const noContent = (): CarcosaError =>
  new CarcosaError('invalid_argument', 'Give a File, Blob, Uint8Array, text or stream to upload.');

const isUriFile = (input: object): input is UriFile => 'uri' in input && typeof input.uri === 'string';
const isSource = (input: object): input is UploadSource => 'size' in input && ('slice' in input || 'stream' in input);
const nameOfUri = (uri: string): string => decodeURIComponent(uri.split(/[?#]/)[0]?.split('/').pop() ?? '');

export function blobSource(blob: Blob): UploadSource {
  const { name = '', lastModified } = blob as Partial<globalThis.File>;
  return {
    name,
    type: blob.type,
    size: blob.size,
    lastModified,
    slice: (start, end) => (start === 0 && end === blob.size ? blob : blob.slice(start, end)),
    async read(start, end) {
      try {
        return new Uint8Array(await blob.slice(start, end).arrayBuffer());
      } catch (error) {
        const message = `${name || 'The file'} cannot be read any more: it was changed, moved or removed.`;
        throw new CarcosaError('source_unreadable', message, { cause: error });
      }
    },
  };
}

export function streamSource(stream: ReadableStream<Uint8Array>): UploadSource {
  return {
    name: '',
    type: '',
    size: null,
    stream: (async function* () {
      const reader = stream.getReader();
      try {
        for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
      } finally {
        await reader.cancel().catch(() => {});
      }
    })(),
  };
}

const SAMPLES = 16;
const SAMPLE_BYTES = 4096;

/**
 * How the content is known again after a reload or on another device: a hash of its size and of samples spread over it, then when it
 * was last changed. No proof that two contents are equal; together with name, size and time it is what a person would call the same file.
 */
export async function fingerprintOf({ size, lastModified, read }: UploadSource): Promise<string | undefined> {
  if (size === null || !read) return undefined;
  const step = Math.max(SAMPLE_BYTES, Math.floor((size - SAMPLE_BYTES) / (SAMPLES - 1)));
  // Two rounds of FNV-1a with different beginnings: 64 bits, and none of it needs a secure context.
  let [one, two] = [0x811c9dc5, 0x1b873593];
  const add = (byte: number): void => {
    one = Math.imul(one ^ byte, 0x01000193);
    two = Math.imul(two ^ byte, 0x01000197);
  };
  for (const digit of String(size)) add(digit.charCodeAt(0));
  for (let start = 0; start < size; start += step)
    for (const byte of await read(start, Math.min(size, start + SAMPLE_BYTES))) add(byte);
  const hex = [one, two].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  return `1-${hex}-${lastModified === undefined ? '' : Math.floor(lastModified).toString(36)}`;
}

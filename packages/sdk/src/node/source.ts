import { type FileHandle, open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { CarcosaError } from '../errors.ts';
import type { ForeignBody, UploadSource } from '../upload/source.ts';

/** A file on disk. */
export interface PathFile {
  readonly path: string;
  /** Default: the last part of the path. */
  readonly name?: string;
  /** MIME; default: by the ending, where the bytes would not tell. */
  readonly type?: string;
}

/** What a transport of Node sends of a file. */
export interface FileRange {
  readonly file: FileHandle;
  readonly start: number;
  readonly size: number;
}

export const isPathFile = (input: unknown): input is PathFile =>
  typeof input === 'object' &&
  input !== null &&
  'path' in input &&
  typeof input.path === 'string' &&
  !('stream' in input) &&
  !(Symbol.asyncIterator in input);

/** Types of text, which no look at the bytes tells apart. */
const TEXT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.csv': 'text/csv',
  '.htm': 'text/html',
  '.html': 'text/html',
  '.ics': 'text/calendar',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.md': 'text/markdown',
  '.mjs': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.vtt': 'text/vtt',
  '.webmanifest': 'application/manifest+json',
  '.xml': 'application/xml',
  '.yaml': 'application/yaml',
  '.yml': 'application/yaml',
};

/** @throws CarcosaError `source_unreadable` for what is no file or may not be read */
export async function pathSource({ path, name = basename(path), type }: PathFile): Promise<UploadSource> {
  const file = await open(path).catch((error: Error) => {
    throw new CarcosaError('source_unreadable', `${path} cannot be read: ${error.message}`, { cause: error });
  });
  const stat = await file.stat();
  if (!stat.isFile()) {
    await file.close();
    throw new CarcosaError('source_unreadable', `${path} is no file.`);
  }
  return {
    name,
    type: type ?? TEXT_TYPES[extname(path).toLowerCase()] ?? '',
    size: stat.size,
    lastModified: stat.mtimeMs,
    slice: (start, end): ForeignBody => {
      const range: FileRange = { file, start, size: end - start };
      return { foreign: range, size: range.size };
    },
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled);
        if (bytesRead === 0) throw shrunk(path);
        filled += bytesRead;
      }
      return bytes;
    },
    close: () => file.close(),
  };
}

export const shrunk = (path: string): CarcosaError =>
  new CarcosaError('source_unreadable', `${path} has become shorter while it was read.`);

export function readableSource(stream: AsyncIterable<Uint8Array>): UploadSource {
  return { name: '', type: '', size: null, stream };
}

import type { FileFamily, FileKind, FileLimits, FileToUpload } from '@carcosa/contracts';
import { RouterConfigError, UploadError } from './errors.ts';
import { bytesOf, type FileSize, sizeText } from './file-size.ts';

type CountLimits = Pick<FileLimits, 'minFileCount' | 'maxFileCount'>;
type MeasureLimits = Pick<FileLimits, 'minWidth' | 'maxWidth' | 'minHeight' | 'maxHeight'>;

/** What a route says of one kind of file. */
export interface KindOptions extends CountLimits {
  minFileSize?: FileSize;
  maxFileSize?: FileSize;
}
/** Pixels, as the picture is stored; held to by the server, from the bytes. */
export interface PictureOptions extends KindOptions, MeasureLimits {}

export type OptionsOfKind<Kind> = Kind extends 'image' | `image/${string}` ? PictureOptions : KindOptions;

/** The kinds of files that a route takes: by family or content type, each with what it may be. */
export type RouteConfig = {
  readonly [Kind in FileFamily]?: OptionsOfKind<Kind>;
} & {
  readonly [Type in `image/${string}`]?: PictureOptions;
} & {
  readonly [Type in `${'application' | 'audio' | 'font' | 'model' | 'text' | 'video'}/${string}`]?: KindOptions;
};

/** What the bytes of each family must be, for the server; null: anything. */
const TYPES: Record<FileFamily, readonly string[] | null> = {
  image: ['image/*'],
  video: ['video/*', 'application/mxf'],
  audio: ['audio/*', 'video/*', 'application/ogg'],
  pdf: ['application/pdf'],
  text: ['text/*', 'application/json', 'application/xml', 'application/javascript'],
  blob: null,
};

export type ResolvedConfig = ReadonlyMap<FileKind, FileLimits>;

/** @throws RouterConfigError for sizes and counts that cannot be */
export function resolveConfig(config: RouteConfig): ResolvedConfig {
  const kinds = Object.entries(config) as [FileKind, PictureOptions][];
  if (kinds.length === 0) throw new RouterConfigError('A route takes at least one kind of file.');
  return new Map(kinds.map(([kind, options]) => [kind, resolveKind(kind, options)]));
}

function resolveKind(kind: FileKind, { minFileSize, maxFileSize, ...rest }: PictureOptions): FileLimits {
  if (!kind.includes('/') && !Object.hasOwn(TYPES, kind)) {
    throw new RouterConfigError(
      `"${kind}" is no kind of file: write ${Object.keys(TYPES).join(', ')}, or a content type.`,
    );
  }
  const limits: FileLimits = {
    ...rest,
    ...(minFileSize === undefined ? {} : { minFileSize: bytesOf(minFileSize) }),
    ...(maxFileSize === undefined ? {} : { maxFileSize: bytesOf(maxFileSize) }),
  };
  for (const [name, limit] of Object.entries(rest)) {
    if (!Number.isSafeInteger(limit) || limit < 0)
      throw new RouterConfigError(`${kind}.${name} must be a whole number.`);
  }
  const pairs = [['FileSize'], ['FileCount'], ['Width'], ['Height']] as const;
  for (const [what] of pairs) {
    const [min = 0, max = Number.POSITIVE_INFINITY] = [limits[`min${what}`], limits[`max${what}`]];
    if (min > max) throw new RouterConfigError(`${kind}: min${what} is more than max${what}.`);
  }
  return limits;
}

/** The kind that a file counts as: its own type first, then its family, then anything. */
export function kindOf(config: ResolvedConfig, { type }: Pick<FileToUpload, 'type'>): FileKind | undefined {
  const [essence = ''] = type.toLowerCase().split(';', 1);
  const family = essence === 'application/pdf' ? 'pdf' : essence.split('/', 1)[0];
  return [essence, family, 'blob'].find((kind): kind is FileKind => config.has(kind as FileKind));
}

/** What the server holds the bytes of a file of that kind to. */
export function typesOf(kind: FileKind): readonly string[] | null {
  return kind.includes('/') ? [kind] : TYPES[kind as FileFamily];
}

/** @returns the kind of each file @throws UploadError `file_type_not_allowed`, `file_too_large`, `file_too_small`, `too_many_files`, `too_few_files` */
export function assertFiles(config: ResolvedConfig, files: readonly FileToUpload[]): FileKind[] {
  const kinds = files.map((file) => assertFile(config, file));
  for (const [kind, { minFileCount, maxFileCount }] of config) {
    const count = kinds.filter((each) => each === kind).length;
    if (maxFileCount !== undefined && count > maxFileCount) {
      const message = `At most ${countOf(maxFileCount, kind)} may be uploaded at once; these are ${count}.`;
      throw refusal('too_many_files', 400, message, { kind, maxFileCount, count });
    }
    if (minFileCount !== undefined && count < minFileCount && (count > 0 || config.size === 1)) {
      const message = `At least ${countOf(minFileCount, kind)} must be uploaded at once; these are ${count}.`;
      throw refusal('too_few_files', 400, message, { kind, minFileCount, count });
    }
  }
  return kinds;
}

function assertFile(config: ResolvedConfig, file: FileToUpload): FileKind {
  const { name, size, type } = file;
  const kind = kindOf(config, file);
  const limits = kind && config.get(kind);
  if (!kind || !limits) {
    const allowed = [...config.keys()].join(', ');
    const message = `"${name}" is ${type || 'of no known type'}; what may be uploaded here is ${allowed}.`;
    throw refusal('file_type_not_allowed', 415, message, { name, type, allowed: [...config.keys()] });
  }
  const { minFileSize = 1, maxFileSize } = limits;
  if (maxFileSize !== undefined && size > maxFileSize) {
    const message = `"${name}" has ${sizeText(size)}; at most ${sizeText(maxFileSize)} may be uploaded.`;
    throw refusal('file_too_large', 413, message, { name, size, maxFileSize });
  }
  if (size < minFileSize) {
    const message =
      size === 0
        ? `"${name}" is empty.`
        : `"${name}" has ${sizeText(size)}; it must be at least ${sizeText(minFileSize)}.`;
    throw refusal('file_too_small', 400, message, { name, size, minFileSize });
  }
  return kind;
}

const countOf = (count: number, kind: FileKind): string =>
  `${count} ${kind === 'blob' ? '' : `${kind} `}file${count === 1 ? '' : 's'}`;

const refusal = (code: string, status: number, message: string, details: object): UploadError =>
  new UploadError(message, { code, status, details });

import { CarcosaError, isId, type ProjectId } from '@carcosa/kernel';
import { z } from 'zod';
import type { UploadRules } from '../uploads/upload-rules.ts';

/** The form of a key that an app may choose: letters, digits, and in those of older apps also "-", "_" and ".". */
export const FILE_KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Shortest key that an app may choose: a shorter one could be guessed, or meet another's. */
const SHORTEST_KEY = 20;

/** An address to upload to, as its text says; whether somebody who may has signed it is another question. */
export interface SignedAddress {
  projectId: ProjectId;
  key: string;
  /** Milliseconds since the epoch. */
  expires: number;
  signature: string;
  /** All before the signature, from the path on. */
  signed: string;
  name: string;
  /** Bytes, at least 1. */
  size: number;
  /** As the app knew it; "" where it did not. */
  type: string;
  slug: string | null;
  customId: string | null;
  visibility: 'public' | 'private' | undefined;
  lastModified: number | null;
  /** What a file router of ours adds. */
  route: RouteTerms;
}

/** What a file router says of a file beyond what UploadThing's addresses can. */
const RouteTerms = z.strictObject({
  path: z.string().max(1024).optional(),
  bucketId: z.string().max(40).optional(),
  types: z.array(z.string().max(100)).max(50).optional(),
  minWidth: z.number().int().min(0).optional(),
  maxWidth: z.number().int().min(0).optional(),
  minHeight: z.number().int().min(0).optional(),
  maxHeight: z.number().int().min(0).optional(),
});
export type RouteTerms = z.infer<typeof RouteTerms>;

const ACLS = { private: 'private', 'public-read': 'public' } as const;

/**
 * Reads `/…/{key}?expires=…&x-ut-…&signature=…`.
 * @param target path and query as the request has them: the signature covers their bytes
 * @throws CarcosaError `signature_invalid` where parts of the signature are missing, `invalid_request` for values of no proper form
 */
export function parseSignedAddress(target: string, key: string): SignedAddress {
  const end = target.lastIndexOf('&signature=');
  const question = target.indexOf('?');
  if (end < 0 || question < 0) throw new CarcosaError('signature_invalid');
  const signature = decodeOnce(target.slice(end + '&signature='.length));
  const query = new URLSearchParams(target.slice(question + 1, end));
  const read = (name: string): string | undefined => {
    const [value, ...more] = query.getAll(name);
    if (more.length > 0) throw wrong(name, 'it is there more than once');
    return value === undefined ? undefined : storable(decodeAgain(value));
  };
  const projectId = read('x-ut-identifier');
  const expires = read('expires') ?? '';
  if (!isId('project', projectId) || !/^\d{1,15}$/.test(expires)) throw new CarcosaError('signature_invalid');
  if (!FILE_KEY.test(key) || key.length < SHORTEST_KEY)
    throw new CarcosaError('invalid_request', {
      message: `The key of a file has ${SHORTEST_KEY} to 128 letters, digits, "-", "_" or ".".`,
    });
  return {
    ...{ projectId, key, expires: Number(expires), signature, signed: target.slice(0, end) },
    name: read('x-ut-file-name') || key,
    size: sizeOf(read('x-ut-file-size')),
    type: (read('x-ut-file-type') ?? '').slice(0, 255),
    slug: read('x-ut-slug') ?? null,
    customId: bounded('x-ut-custom-id', read('x-ut-custom-id')) ?? null,
    visibility: visibilityOf(read('x-ut-acl')),
    lastModified: wholeNumber(read('x-ut-last-modified')),
    route: routeTerms(read('x-carcosa-route')),
  };
}

/** What the bytes must be, by what was signed: the family of a picture, film or recording, or a PDF; of other types anything. */
export function rulesOf({ type, route }: Pick<SignedAddress, 'type' | 'route'>): UploadRules | undefined {
  const { path: _path, bucketId: _bucketId, ...rules } = route;
  const types = rules.types ?? TYPES_OF_FAMILY[type.split('/', 1)[0]?.toLowerCase() ?? ''] ?? PDF[type.toLowerCase()];
  if (types === undefined && Object.keys(rules).length === 0) return undefined;
  return { ...rules, ...(types ? { types } : {}) };
}

const RECORDINGS = ['video/*', 'audio/*', 'application/ogg', 'application/mxf'];
const TYPES_OF_FAMILY: Record<string, readonly string[]> = {
  image: ['image/*'],
  video: RECORDINGS,
  audio: RECORDINGS,
};
const PDF: Record<string, readonly string[]> = { 'application/pdf': ['application/pdf'], pdf: ['application/pdf'] };

/** A value comes encoded twice from the SDK and once from the documented recipe; what is no encoding is taken as it is. */
function decodeAgain(value: string): string {
  return value.includes('%') ? decodeOnce(value) : value;
}

/** PostgreSQL has no NUL in texts, nor half characters. */
const storable = (text: string): string => text.replaceAll('\0', '').toWellFormed();

function decodeOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function sizeOf(text: string | undefined): number {
  const size = wholeNumber(text);
  if (size === null) throw wrong('x-ut-file-size', 'it must be a whole number of bytes');
  if (size === 0) throw wrong('x-ut-file-size', 'an empty file cannot be uploaded');
  return size;
}

function wholeNumber(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}

function visibilityOf(acl: string | undefined): SignedAddress['visibility'] {
  if (acl === undefined) return undefined;
  if (!Object.hasOwn(ACLS, acl)) throw wrong('x-ut-acl', 'it must be "public-read" or "private"');
  return ACLS[acl as keyof typeof ACLS];
}

function bounded(name: string, value: string | undefined): string | undefined {
  if (value !== undefined && value.length > 256) throw wrong(name, 'it is longer than 256 characters');
  return value || undefined;
}

function routeTerms(text: string | undefined): RouteTerms {
  if (text === undefined) return {};
  try {
    return RouteTerms.parse(JSON.parse(text));
  } catch {
    throw wrong('x-carcosa-route', 'it is not what a file router of this version writes');
  }
}

const wrong = (name: string, problem: string): CarcosaError =>
  new CarcosaError('invalid_request', { message: `${name}: ${problem}.`, details: { parameter: name } });

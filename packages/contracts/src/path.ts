import { CarcosaError } from '@carcosa/kernel';
import { z } from 'zod';

export const MAX_PATH_BYTES = 1024;

// C0, DEL and C1 controls; the marks that reorder text (bidi embeddings, overrides, isolates); zero-width no-break space.
const FORBIDDEN = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

/**
 * Says what is wrong with a file's path, or null. A path is one or more segments joined by "/", at most 1,024 bytes of
 * UTF-8, kept byte for byte: no Unicode normalization, so NFC and NFD twins are two files.
 */
export function pathProblem(path: string): string | null {
  if (path === '') return 'it is empty';
  if (!path.isWellFormed()) return 'it is not valid Unicode';
  // A character of UTF-16 is at most three bytes of UTF-8: only long ones need counting.
  const mayBeLong = path.length * 3 > MAX_PATH_BYTES;
  if (mayBeLong && new TextEncoder().encode(path).length > MAX_PATH_BYTES)
    return `it is longer than ${MAX_PATH_BYTES} bytes`;
  if (path.startsWith('/')) return 'it begins with "/"; paths are relative to the project';
  if (FORBIDDEN.test(path)) return 'it has a control character or a mark that reorders text';
  for (const segment of path.split('/')) {
    if (segment === '') return 'it has an empty segment ("//" or a "/" at its end)';
    if (segment === '.' || segment === '..') return 'it has a segment "." or ".."';
  }
  return null;
}

/** @throws CarcosaError `invalid_path` that says what is wrong with it. */
export function assertPath(path: string): void {
  const problem = pathProblem(path);
  if (problem) throw new CarcosaError('invalid_path', { message: `The path is not allowed: ${problem}.` });
}

/** `photos/2026/cat.jpg` is in the folder `photos/2026` and has the name `cat.jpg`; at the top the folder is "". */
export function splitPath(path: string): { folder: string; name: string } {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? { folder: '', name: path } : { folder: path.slice(0, slash), name: path.slice(slash + 1) };
}

export const FilePath = z
  .string()
  .superRefine((path, context) => {
    const problem = pathProblem(path);
    if (problem)
      context.addIssue({ code: 'custom', message: `not allowed: ${problem}`, params: { code: 'invalid_path' } });
  })
  .describe('segments joined by "/", up to 1,024 bytes of UTF-8');

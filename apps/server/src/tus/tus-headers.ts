import type { BodyChecksum } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';

type Headers = Record<string, string | string[] | undefined>;

/** Algorithms of the checksum extension that we verify. */
export const CHECKSUM_ALGORITHMS = ['sha1', 'sha256', 'md5'] as const;

/**
 * `Upload-Metadata`: keys and base64 values, separated by a space and commas (tus 1.0.0, creation extension).
 * @throws CarcosaError `invalid_request` for a list that is not of that form
 */
export function parseMetadata(header: string | undefined): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null);
  if (header === undefined || header.trim() === '') return metadata;
  for (const pair of header.split(',')) {
    const [key, value = '', ...rest] = pair.trim().split(' ');
    if (!key || rest.length > 0 || key in metadata || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
      throw new CarcosaError('invalid_request', {
        message: 'Upload-Metadata must be "key base64value" pairs separated by commas, each key once.',
      });
    }
    metadata[key] = Buffer.from(value, 'base64').toString('utf8');
  }
  return metadata;
}

/** A header that must be a whole number from 0 to 2^53 - 1. Absent: undefined. @throws CarcosaError `invalid_request` */
export function parseCount(headers: Headers, name: string): number | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  const count = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(count))
    throw new CarcosaError('invalid_request', { message: `${name} must be a whole number of bytes.` });
  return count;
}

/** `Upload-Checksum: algorithm base64`. @throws CarcosaError `invalid_request` for an algorithm that we do not offer */
export function parseChecksum(header: string | undefined): BodyChecksum | undefined {
  if (header === undefined) return undefined;
  const [name, base64 = ''] = header.split(' ');
  const algorithm = CHECKSUM_ALGORITHMS.find((offered) => offered === name);
  if (!algorithm || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new CarcosaError('invalid_request', {
      message: `Upload-Checksum must be one of ${CHECKSUM_ALGORITHMS.join(', ')}, a space and the digest in base64.`,
    });
  }
  return { algorithm, digest: Buffer.from(base64, 'base64') };
}

/** What `Upload-Concat` says: a partial upload, or the final one of those with the ids. */
export type Concat = { type: 'partial' } | { type: 'final'; ids: string[] };

/** @throws CarcosaError `invalid_request` */
export function parseConcat(header: string | undefined): Concat | undefined {
  if (header === undefined) return undefined;
  if (header === 'partial') return { type: 'partial' };
  const ids = header.startsWith('final;') ? header.slice(6).trim().split(/\s+/).map(lastSegment) : [];
  if (ids.length === 0 || ids.some((id) => id === '')) {
    throw new CarcosaError('invalid_request', {
      message: 'Upload-Concat must be "partial", or "final;" and the addresses of the parts.',
    });
  }
  return { type: 'final', ids };
}

function lastSegment(address: string): string {
  return address.split(/[?#]/)[0]?.split('/').pop() ?? '';
}

/** The headers of a request that make its answer depend on what the client has already. */
export interface ConditionalHeaders {
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
  'if-modified-since'?: string | undefined;
  'if-unmodified-since'?: string | undefined;
}

/** What tells one content of an address from another. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly lastModified: number;
}

export type Precondition = 'proceed' | 'not-modified' | 'failed';

const SECOND = 1000;

/** Decides by the conditions of a GET or HEAD, in the order of RFC 9110, section 13.2.2. */
export function evaluatePreconditions(headers: ConditionalHeaders, validators: Validators): Precondition {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined) {
    // Strong comparison: a weak tag never matches.
    if (!listsTag(ifMatch, validators.etag, false)) return 'failed';
  } else {
    const unmodifiedSince = parseHttpDate(headers['if-unmodified-since']);
    if (unmodifiedSince !== null && wholeSeconds(validators) > unmodifiedSince) return 'failed';
  }
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) return listsTag(ifNoneMatch, validators.etag, true) ? 'not-modified' : 'proceed';
  const modifiedSince = parseHttpDate(headers['if-modified-since']);
  return modifiedSince !== null && wholeSeconds(validators) <= modifiedSince ? 'not-modified' : 'proceed';
}

/**
 * Whether a Range may be honoured under If-Range (RFC 9110, section 13.1.5): only for the very same bytes.
 * @param now milliseconds since the epoch
 */
export function rangeStillApplies(ifRange: string | undefined, validators: Validators, now: number): boolean {
  if (ifRange === undefined) return true;
  if (ifRange.startsWith('"')) return ifRange === validators.etag;
  if (/^W\//i.test(ifRange)) return false;
  // Section 8.8.2.2: within the second of a change a date cannot tell two contents apart.
  const strong = now - wholeSeconds(validators) >= SECOND;
  return strong && parseHttpDate(ifRange) === wholeSeconds(validators);
}

/** Section 8.8.3.2. Tags may hold commas, so the list is not split at them. */
function listsTag(list: string, etag: string, weak: boolean): boolean {
  if (list.trim() === '*') return true;
  for (const [, weakness, tag] of list.matchAll(/(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)) {
    if (tag === etag && (weak || weakness === undefined)) return true;
  }
  return false;
}

const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** The three forms of RFC 9110, section 5.6.7, in milliseconds since the epoch; null for anything else, which is ignored. */
export function parseHttpDate(text: string | undefined): number | null {
  if (text === undefined) return null;
  let milliseconds = Number.NaN;
  if (IMF_FIXDATE.test(text) || RFC_850.test(text)) milliseconds = Date.parse(text);
  else if (ASCTIME.test(text)) milliseconds = Date.parse(`${text} GMT`);
  return Number.isNaN(milliseconds) ? null : milliseconds;
}

/** As Last-Modified is written. */
export function formatHttpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}

/** Dates of HTTP have no fractions of seconds. */
function wholeSeconds({ lastModified }: Validators): number {
  return Math.floor(lastModified / SECOND) * SECOND;
}

import type { Random } from '@carcosa/kernel';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Milliseconds before each attempt, since the one before. After the last one the delivery has failed. */
export const RETRY_DELAYS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
/** Part of a delay by which it is shorter or longer at most, so that what failed together does not come back together. */
export const JITTER = 0.1;
/** Longest that a receiver can put us off by `Retry-After`, in milliseconds. */
export const LONGEST_RETRY_AFTER = 24 * HOUR;
/** A webhook that has failed for so long, without a success, is switched off. */
export const DISABLE_AFTER = 5 * 24 * HOUR;

/** Failures in a row after which nothing is sent for a while; then one attempt at a time, until one succeeds. */
export const BREAKER_FAILURES = 5;
const FIRST_PAUSE = 10 * SECOND;
const LONGEST_PAUSE = 5 * MINUTE;

/** Milliseconds until the attempt after `made` failed ones; null when there is none. */
export function retryDelay(made: number, random: Random): number | null {
  const delay = RETRY_DELAYS[made];
  if (delay === undefined) return null;
  const [byte = 0, other = 0] = random.bytes(2);
  return Math.round(delay * (1 - JITTER + (2 * JITTER * (byte * 256 + other)) / 65_535));
}

/** Milliseconds for which nothing is sent after so many failures in a row; 0 for few. */
export function breakerPause(failures: number): number {
  if (failures < BREAKER_FAILURES) return 0;
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures - BREAKER_FAILURES, 10));
}

/**
 * What `Retry-After` says (RFC 9110, section 10.2.3: seconds or a date), in milliseconds from `now`, at most
 * {@link LONGEST_RETRY_AFTER}; null where there is none that one can read.
 */
export function retryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const wait = /^\d{1,9}$/.test(header) ? Number(header) * SECOND : Date.parse(header) - now;
  return Number.isFinite(wait) && wait > 0 ? Math.min(wait, LONGEST_RETRY_AFTER) : null;
}

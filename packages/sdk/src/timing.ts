import { cancelled } from './errors.ts';

/** Time and chance, so that tests can set them. */
export interface Timing {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** From 0 up to 1: spreads out retries. */
  random(): number;
  /** Rejects with `cancelled` as soon as the signal says so. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemTiming: Timing = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled());
      const stop = () => {
        clearTimeout(timer);
        reject(cancelled());
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop);
        resolve();
      }, milliseconds);
      signal?.addEventListener('abort', stop, { once: true });
    }),
};

const BASE_MS = 500;
const MOST_MS = 30_000;

/** Milliseconds before attempt `attempt` (from 1): doubles up to half a minute, spread out by half; never before `retryAfter` (seconds). */
export function backoff(attempt: number, timing: Timing, retryAfter?: number): number {
  const usual = Math.min(MOST_MS, BASE_MS * 2 ** (attempt - 1)) * (0.5 + timing.random() / 2);
  return Math.max(usual, (retryAfter ?? 0) * 1000);
}

/** Waits until the device says that it has a network, where it can say so. */
export function whenOnline(signal?: AbortSignal): Promise<void> | undefined {
  const { navigator, addEventListener } = globalThis as typeof globalThis & { navigator?: { onLine?: boolean } };
  if (navigator?.onLine !== false || typeof addEventListener !== 'function') return undefined;
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => () => {
      removeEventListener('online', online);
      signal?.removeEventListener('abort', stop);
      settle();
    };
    const online = done(resolve);
    const stop = done(() => reject(cancelled()));
    addEventListener('online', online);
    signal?.addEventListener('abort', stop);
  });
}

/** The present, where a calendar counts and no clock was given. */
export const unixSeconds = (): number => Date.now() / 1000;

/** 128 bits that nobody else has, in hex. Not for secrets: React Native has no generator for those of its own. */
export function uniqueId(timing: Timing): string {
  const words =
    globalThis.crypto?.getRandomValues?.(new Uint32Array(4)) ?? [0, 0, 0, 0].map(() => timing.random() * 2 ** 32);
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

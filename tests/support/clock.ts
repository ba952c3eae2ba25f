/** Milliseconds since the epoch, by this machine. */
export const now = (): number => performance.timeOrigin + performance.now();

/** Seconds since the epoch, rounded down: what signed addresses carry. */
export const unixNow = (): number => Math.floor(now() / 1000);

export interface UntilOptions {
  /** Milliseconds until it is given up. */
  within?: number;
  /** Milliseconds between two looks. */
  every?: number;
  /** What is waited for, for the message. */
  what?: string;
}

/**
 * Looks again until `probe` gives something other than `undefined`, `null` or `false`, and gives that back. The only way in which
 * these suites wait: for a condition, never for a time.
 */
export async function until<T>(
  probe: () => T | Promise<T>,
  { within = 10_000, every = 25, what = 'the condition' }: UntilOptions = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + within;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`${what} did not come about within ${within} ms`);
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

/** Rejects with `what` when `promise` has not settled within `ms`. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The month in UTC that an instant lies in. */
export interface Month {
  /** As 2026-11. */
  period: string;
  /** Milliseconds since the epoch. */
  begunAt: number;
}

/** @param now milliseconds since the epoch */
export function monthOf(now: number): Month {
  const date = new Date(now);
  const period = date.toISOString().slice(0, 7);
  return { period, begunAt: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) };
}

/** How often something was found at hand, and how often it had to be fetched. */
export interface Lookups {
  hits: number;
  misses: number;
}

/**
 * Counts values by size, in plain numbers: cheap enough for what happens thousands of times a second. Whoever wants to know reads
 * the fields.
 */
export class Histogram {
  /** Upper bounds of the buckets, rising; a value belongs to the first that is not below it. */
  readonly bounds: readonly number[];
  /** Values in each bucket alone, and at the end those above all bounds. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > (this.bounds[at] as number)) at += 1;
    this.counts[at] = (this.counts[at] as number) + 1;
    this.sum += value;
    this.count += 1;
  }
}

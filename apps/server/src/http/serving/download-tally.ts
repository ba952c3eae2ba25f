/** Who sends the bytes of an answer for a file, or why nobody does. */
export const DELIVERIES = ['whole', 'range', 'redirect', 'handed-over', 'not-modified', 'head'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/** Answers for files since the start, and the bytes that they announced. */
export class DownloadTally {
  readonly answers = Object.fromEntries(DELIVERIES.map((each) => [each, 0])) as Record<Delivery, number>;
  readonly bytes = Object.fromEntries(DELIVERIES.map((each) => [each, 0])) as Record<Delivery, number>;

  count(delivery: Delivery, bytes: number): void {
    this.answers[delivery] += 1;
    this.bytes[delivery] += bytes;
  }
}

/** Reads signed 16-bit samples as they come, and keeps the lowest and highest of each span. */
export class PeakReader {
  samples = 0;
  readonly #span: number;
  readonly #peaks: number[] = [];
  #low = 0;
  #high = 0;
  #odd: number | null = null;

  /** @param span samples */
  constructor(span: number) {
    this.#span = span;
  }

  add(chunk: Buffer): void {
    let at = 0;
    if (this.#odd !== null && chunk.length > 0) {
      this.#take(((chunk[0] as number) << 8) | this.#odd);
      this.#odd = null;
      at = 1;
    }
    for (; at + 1 < chunk.length; at += 2) this.#take(((chunk[at + 1] as number) << 8) | (chunk[at] as number));
    if (at < chunk.length) this.#odd = chunk[at] as number;
  }

  /** Lowest and highest of each span in turn, from -128 to 127. */
  end(): number[] {
    if (this.samples % this.#span !== 0) this.#close();
    return this.#peaks;
  }

  #take(unsigned: number): void {
    const sample = unsigned >= 0x8000 ? unsigned - 0x10000 : unsigned;
    if (this.samples % this.#span === 0) this.#low = this.#high = sample;
    else if (sample < this.#low) this.#low = sample;
    else if (sample > this.#high) this.#high = sample;
    this.samples += 1;
    if (this.samples % this.#span === 0) this.#close();
  }

  #close(): void {
    this.#peaks.push(this.#low >> 8, this.#high >> 8);
  }
}

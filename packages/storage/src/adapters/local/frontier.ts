/** Ranges of a file that are complete, in any order; tells how far it is complete from its beginning. */
export class Frontier {
  /** Ends of the ranges that lie beyond the frontier, by their start. */
  readonly #beyond = new Map<number, number>();
  #position = 0;

  get position(): number {
    return this.#position;
  }

  add(start: number, end: number): void {
    if (start > this.#position) {
      this.#beyond.set(start, Math.max(end, this.#beyond.get(start) ?? 0));
      return;
    }
    this.#position = Math.max(this.#position, end);
    for (let next = this.#beyond.get(this.#position); next !== undefined; next = this.#beyond.get(this.#position)) {
      this.#beyond.delete(this.#position);
      this.#position = next;
    }
  }
}

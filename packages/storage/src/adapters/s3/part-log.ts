import { createHash } from 'node:crypto';
import { CarcosaError } from '@carcosa/kernel';
import type { Part } from './client.ts';
import { assertPartNumber, MAX_PARTS, TAKEOVER_GAP } from './part-size.ts';

/** Part numbers as runs of consecutive ones: [first number, how many]. */
export type Runs = readonly (readonly [number, number])[];

/** What is kept of the parts between processes: of one size whatever their number. */
export interface PartLogState {
  runs: Runs;
  /** Digest of all their ETags in order: parts that somebody else overwrote do not pass for ours. */
  chain: string;
}

/**
 * The parts that make up the content so far, in order: their numbers at the provider and their ETags. Numbers may have gaps; each
 * takeover leaves one, so that what the former writer still sends falls beside our parts.
 */
export class PartLog {
  #runs: [number, number][];
  /** `null` while the part is on its way. */
  readonly #etags: (string | null)[];
  /** Digest of the first so many ETags. */
  #chained = { count: 0, digest: '' };

  private constructor(runs: [number, number][], etags: string[]) {
    this.#runs = runs;
    this.#etags = etags;
  }

  static empty(): PartLog {
    return new PartLog([[1, 0]], []);
  }

  /**
   * Finds the parts of `state` among those that the provider holds.
   * @throws CarcosaError `storage_unavailable`, final, when one is missing, overwritten or not of `partSize` bytes
   */
  static restore(state: PartLogState, held: readonly Part[], place: { partSize: number; length: number }): PartLog {
    const byNumber = new Map(held.map((part) => [part.number, part]));
    const log = new PartLog(copyRuns(state.runs), []);
    const count = log.#runs.reduce((sum, [, length]) => sum + length, 0);
    for (let index = 0; index < count; index++) {
      const part = byNumber.get(log.number(index));
      if (part?.size === Math.min(place.partSize, place.length - index * place.partSize)) log.#etags.push(part.etag);
    }
    if (log.count !== count || log.#chain(count) !== state.chain) {
      throw new CarcosaError('storage_unavailable', {
        message: `The bucket has lost acknowledged bytes of an upload: ${count} parts were sent, ${log.count} are there whole.`,
        retryable: false,
      });
    }
    return log;
  }

  get count(): number {
    return this.#etags.length;
  }

  /** Takes the next number. @throws CarcosaError `payload_too_large` beyond what a provider takes */
  reserve(): { index: number; number: number } {
    const run = this.#runs.at(-1) ?? [1, 0];
    const number = run[0] + run[1];
    assertPartNumber(number);
    run[1] += 1;
    return { index: this.#etags.push(null) - 1, number };
  }

  settle(index: number, etag: string): void {
    this.#etags[index] = etag;
  }

  /** Leaves a gap after all that the provider holds. `remaining`: how many parts are still to come, where that is known. */
  skipBeyond(held: readonly Part[], remaining: number): void {
    const last = this.#runs.at(-1) ?? [1, 0];
    const used = held.reduce((highest, { number }) => Math.max(highest, number), last[0] + last[1] - 1);
    const room = MAX_PARTS - used - remaining;
    const next = used + 1 + Math.max(0, Math.min(TAKEOVER_GAP, room));
    if (last[1] === 0) this.#runs.pop();
    this.#runs.push([next, 0]);
  }

  /** Forgets all parts from `count` on. */
  truncate(count: number): void {
    this.#runs = cutRuns(this.#runs, count);
    this.#etags.length = count;
    if (this.#chained.count > count) this.#chained = { count: 0, digest: '' };
  }

  /** The state of the first `count` parts, all of which have arrived. */
  snapshot(count: number): PartLogState {
    return { runs: cutRuns(this.#runs, count), chain: this.#chain(count) };
  }

  /** All parts; only when all have arrived. */
  list(): { number: number; etag: string }[] {
    return this.#etags.map((etag, index) => ({ number: this.number(index), etag: etag ?? '' }));
  }

  number(index: number): number {
    let rest = index;
    for (const [first, length] of this.#runs) {
      if (rest < length) return first + rest;
      rest -= length;
    }
    throw new RangeError(`there is no part ${index}`);
  }

  #chain(count: number): string {
    let { count: done, digest } = this.#chained;
    if (done > count) [done, digest] = [0, ''];
    for (; done < count; done++) digest = createHash('sha256').update(`${digest}${this.#etags[done]}`).digest('hex');
    this.#chained = { count: done, digest };
    return digest;
  }
}

/** The ETag of an object made of parts whose ETags are MD5 sums; `null` when they are not. */
export function multipartEtag(etags: readonly string[]): string | null {
  if (!etags.every((etag) => /^[0-9a-f]{32}$/.test(etag))) return null;
  const md5 = createHash('md5');
  for (const etag of etags) md5.update(etag, 'hex');
  return `${md5.digest('hex')}-${etags.length}`;
}

function copyRuns(runs: Runs): [number, number][] {
  return runs.length === 0 ? [[1, 0]] : runs.map(([first, length]) => [first, length]);
}

/** The runs of the first `count` parts; an empty one at the end says where the next number lies. */
function cutRuns(runs: Runs, count: number): [number, number][] {
  const cut: [number, number][] = [];
  let rest = count;
  for (const [first, length] of runs) {
    const taken = Math.min(rest, length);
    cut.push([first, taken]);
    rest -= taken;
    if (taken < length) break;
  }
  return cut;
}

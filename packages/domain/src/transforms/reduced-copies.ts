import type { ResolvedTransform } from '@carcosa/contracts';
import type { Logger } from '@carcosa/kernel';
import type { AnyImageTask, ImageResult } from '@carcosa/media';
import type { VariantCache } from './variant-cache.ts';

/** Pixels of the longer side of a copy, and of the sides of results that are made of one. */
const REDUCED_SIDE = 1600;
const MAX_SIDE_OF_IT = 1200;
/** Smaller originals are read as fast as a copy. */
const MIN_PIXELS = 6_000_000;
/** Milliseconds without a picture to make, after which copies are made. */
const QUIET_MS = 200;
/** Pictures that may wait for a quiet moment, and that are remembered; those beyond go without. */
const MAX_WAITING = 64;

/** What is done with an original as a file of this machine, for as long as it is there. */
export type WithSource = (work: (path: string) => Promise<void>) => Promise<void>;

export interface ReducedCopiesParts {
  readonly cache: VariantCache;
  readonly engine: {
    run(task: AnyImageTask): Promise<ImageResult>;
    /** Whether no picture is being made, or waits. */
    readonly isIdle: boolean;
  };
  readonly logger: Logger;
}

/**
 * Keeps a smaller copy of a large original, of which other sizes are made in half the time. It is made when nobody waits, or when a
 * second size is asked for.
 */
export class ReducedCopies {
  readonly #parts: ReducedCopiesParts;
  /** Originals of which a first result was made. */
  readonly #waiting = new Map<string, WithSource>();
  readonly #underWay = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #made = 0;
  #used = 0;

  constructor(parts: ReducedCopiesParts) {
    this.#parts = parts;
  }

  /** Since the start. */
  get statistics(): { made: number; used: number } {
    return { made: this.#made, used: this.#used };
  }

  /** Whether a result can be made of a copy: whoever counts pixels of the original, or wants more of it than pixels, needs the original. */
  static suits({ crop, trim, rotate, page, animated, keep, width, height, pad }: ResolvedTransform): boolean {
    const sides = [width, height].filter((side) => side !== undefined);
    const needsOriginal = [crop, trim, rotate, page, animated, keep, pad].some((each) => each !== undefined);
    return !needsOriginal && sides.length > 0 && Math.max(...sides) <= MAX_SIDE_OF_IT;
  }

  /** The path of the copy, where there is one. */
  async find(name: string): Promise<string | undefined> {
    const found = await this.#parts.cache.locate(name);
    if (found !== null) this.#used += 1;
    return found ?? undefined;
  }

  /** To be told of each result that was made of an original. */
  noticed(name: string, { source }: ImageResult, withSource: WithSource): void {
    if (source.width * source.height < MIN_PIXELS || this.#underWay.has(name)) return;
    const isSecond = this.#waiting.delete(name);
    if (isSecond) void this.#make(name, withSource);
    else if (this.#waiting.size < MAX_WAITING) this.#waiting.set(name, withSource);
    this.#later();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#next(), QUIET_MS).unref();
  }

  #next(): void {
    const [first] = this.#waiting;
    if (!first) return;
    if (this.#parts.engine.isIdle) {
      const [name, withSource] = first;
      this.#waiting.delete(name);
      void this.#make(name, withSource);
    }
    this.#later();
  }

  /** Never rejects: what cannot be copied is read whole each time. */
  async #make(name: string, withSource: WithSource): Promise<void> {
    const { engine, cache, logger } = this.#parts;
    this.#underWay.add(name);
    try {
      await withSource(async (source) => {
        const target = await cache.place();
        await engine.run({ source, target, reduceTo: REDUCED_SIDE });
        await cache.keep(target, name);
      });
      this.#made += 1;
    } catch (error) {
      logger.debug({ err: error }, 'could not keep a smaller copy of a picture');
    } finally {
      this.#underWay.delete(name);
    }
  }
}

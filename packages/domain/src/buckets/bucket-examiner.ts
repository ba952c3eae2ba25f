import type { BucketCorsFix, BucketExamination, BucketFinding, ExamineBucketBody } from '@carcosa/contracts';
import { type BucketRow, findBucket, listShares, type Queryable } from '@carcosa/database';
import { CarcosaError, type Clock, isCarcosaError } from '@carcosa/kernel';
import type { DiagnosisCapability, Examination } from '@carcosa/storage/port';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { aboutBucket } from './about-bucket.ts';
import { assertBucketControl, knownBucket } from './bucket-decision.ts';
import type { StoreRegistry } from './store-registry.ts';

export interface BucketExaminerParts {
  db: Queryable;
  stores: StoreRegistry;
  clock: Clock;
  /** The address that clients see: pages of its origin upload too. */
  publicUrl: string;
}

const RIGHTS = ['put', 'get', 'list', 'delete', 'multipart', 'presigned', 'cors'] as const;

/** Tries what a bucket lets us do, and mends what can be mended from here. For who tends the bucket. */
export class BucketExaminer {
  readonly #parts: BucketExaminerParts;

  constructor(parts: BucketExaminerParts) {
    this.#parts = parts;
  }

  /** What is there, what is missing and what to add. Writes a small object under a random key and removes it again. */
  async examine(actor: Actor, id: string, input: ExamineBucketBody): Promise<BucketExamination> {
    const row = await this.#tended(actor, id);
    const found = await this.#examine(row, this.#origins(input));
    const usable =
      found.problem === null &&
      found.rights.every(({ right, status }) => right === 'cors' || status === 'granted' || status === 'not-needed');
    const missing = found.rights.filter(({ status }) => status === 'missing').map(({ right }) => right);
    await this.#record(actor, 'bucket.test', row, { usable, missing });
    return { usable, ...found };
  }

  /** Adds a CORS rule for the origins to those that the bucket has, and looks whether it works. */
  async fixCors(actor: Actor, id: string, input: ExamineBucketBody): Promise<BucketCorsFix> {
    const row = await this.#tended(actor, id);
    const origins = this.#origins(input);
    const change = await (await this.#diagnosis(row)).allowOrigins?.(origins);
    if (!change) {
      const message = 'Browsers send nothing to this bucket itself: it needs no CORS rule.';
      throw new CarcosaError('conflict', { message });
    }
    const { done, message, rule } = change;
    const { rights } = await this.#examine(row, origins);
    await this.#record(actor, 'bucket.fix-cors', row, { done, origins });
    const right = rights.find((one) => one.right === 'cors') as BucketFinding;
    return { fixed: done && right.status === 'granted', message, rule, right };
  }

  async #examine(row: BucketRow, origins: readonly string[]): Promise<Examination> {
    try {
      const diagnosis = await this.#diagnosis(row);
      return await diagnosis.examine({ origins });
    } catch (error) {
      // Settings with which the bucket cannot even be opened are an answer too.
      if (!isCarcosaError(error) || !/^(storage_|configuration_invalid)/.test(error.code)) throw error;
      return {
        problem: error.message,
        rights: RIGHTS.map((right) => ({ right, status: 'unknown', message: 'Nothing could be tried.', actions: [] })),
      };
    }
  }

  async #diagnosis(row: BucketRow): Promise<DiagnosisCapability> {
    const { diagnosis } = await this.#parts.stores.storeFor(row.id);
    if (!diagnosis) throw new CarcosaError('storage_misconfigured', { message: 'This bucket cannot be examined.' });
    return diagnosis;
  }

  #origins({ origins }: ExamineBucketBody): string[] {
    return origins && origins.length > 0 ? [...new Set(origins)] : [new URL(this.#parts.publicUrl).origin];
  }

  async #tended(actor: Actor, id: string): Promise<BucketRow> {
    const { db } = this.#parts;
    const row = await findBucket(db, knownBucket(id));
    if (!row) throw new CarcosaError('not_found');
    assertBucketControl(actor, 'tend', row, await listShares(db, [row.id]));
    return row;
  }

  async #record(
    actor: Actor,
    action: 'bucket.test' | 'bucket.fix-cors',
    row: BucketRow,
    after: unknown,
  ): Promise<void> {
    const { db, clock } = this.#parts;
    await record(db, clock, actor, { action, ...aboutBucket(row), after });
  }
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObjectStore, StagedObject, StagedRef } from '../port.ts';
import {
  appendAll,
  type BucketHarness,
  freshKey,
  freshUploadId,
  type OpenBucket,
  readAll,
  sha256,
  someBytes,
  useBucket,
} from './harness.ts';

/** One thing that happens to an upload. Shares are of the whole size, in percent. */
type Step =
  | { type: 'append'; share: number; chunk: number }
  /** One request of many: its bytes are saved, all or lazily, and the next one continues from there. */
  | { type: 'request'; share: number; lazy: boolean; elsewhere: boolean }
  /** Bytes that are taken back: a body whose checksum was wrong. */
  | { type: 'mistake'; share: number }
  | { type: 'sync'; lazy: boolean }
  /** The next request, in this process or another; with `takeover` the former writer goes on, unaware. */
  | { type: 'resume'; elsewhere: boolean; takeover: boolean }
  | { type: 'head'; length: number };

const share = fc.noBias(fc.integer({ min: 2, max: 40 }));
const chunk = fc.constantFrom(1_000, 65_536, 1_000_000);
const yes = fc.boolean();
const kind = <Type extends Step['type']>(type: Type) => fc.constant(type);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: kind('append'), share, chunk }) },
  { weight: 4, arbitrary: fc.record({ type: kind('request'), share, lazy: yes, elsewhere: yes }) },
  { weight: 2, arbitrary: fc.record({ type: kind('mistake'), share }) },
  { weight: 2, arbitrary: fc.record({ type: kind('sync'), lazy: yes }) },
  { weight: 1, arbitrary: fc.record({ type: kind('resume'), elsewhere: yes, takeover: yes }) },
  { weight: 1, arbitrary: fc.record({ type: kind('head'), length: fc.integer({ min: 0, max: 20_000 }) }) },
);

/** Any story of one upload ends with exactly its bytes. */
export function describeStagingModel(open: OpenBucket): void {
  describe('any story of an upload', () => {
    const bucket = useBucket(open);

    it('ends with its bytes', { timeout: 300_000 }, async () => {
      const { boundary, largest = 5 * boundary, runs = 20 } = bucket();
      const size = fc.oneof(
        fc.integer({ min: boundary, max: largest }),
        fc.constantFrom(0, 1, boundary - 1, boundary, boundary + 1, 2 * boundary, 2 * boundary + 1),
      );
      const story = fc.record({
        size,
        known: fc.boolean(),
        steps: fc.array(step, { maxLength: 20, size: 'max' }),
        synced: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(story, async ({ size, known, steps, synced }) => {
          const other = await bucket().openAgain();
          const tale = await Tale.begin(bucket(), other, someBytes(size), known);
          for (const one of steps) await tale.play(one);
          await tale.end(synced);
          await other.close();
        }),
        // Each try costs a provider's time: the story that failed is told, not the shortest one.
        { numRuns: runs, endOnFailure: true },
      );
    });
  });
}

/** An upload as the engine leads it, with what its row would say. */
class Tale {
  readonly #harness: BucketHarness;
  readonly #other: ObjectStore;
  readonly #content: Buffer;
  readonly #key: string;
  readonly #known: boolean;
  readonly #formerWriters: StagedObject[] = [];
  #staged: StagedObject;
  #row: { ref: StagedRef; offset: number };
  #fence = 1;

  private constructor(
    harness: BucketHarness,
    other: ObjectStore,
    upload: { content: Buffer; key: string; known: boolean },
    staged: StagedObject,
  ) {
    this.#harness = harness;
    this.#other = other;
    this.#content = upload.content;
    this.#key = upload.key;
    this.#known = upload.known;
    this.#staged = staged;
    this.#row = { ref: staged.ref, offset: 0 };
  }

  static async begin(harness: BucketHarness, other: ObjectStore, content: Buffer, known: boolean): Promise<Tale> {
    const key = freshKey();
    const input = {
      uploadId: freshUploadId(),
      key,
      size: known ? content.length : null,
      contentType: 'text/plain',
      fence: 1,
    };
    const staged = await harness.store.stage(input);
    const tale = new Tale(harness, other, { content, key, known }, staged);
    // Whoever resumes needs something durable to find.
    await staged.sync();
    tale.#save();
    return tale;
  }

  async play(step: Step): Promise<void> {
    switch (step.type) {
      case 'append':
        return this.#append(step.share, step.chunk);
      case 'request':
        await this.#append(step.share, 65_536);
        await this.#sync(step.lazy);
        return this.#resume({ elsewhere: step.elsewhere, takeover: false });
      case 'mistake':
        return this.#mistake(step.share);
      case 'sync':
        return this.#sync(step.lazy);
      case 'resume':
        return this.#resume(step);
      case 'head': {
        const head = Buffer.from(await this.#staged.head(step.length));
        expect(head.equals(this.#content.subarray(0, Math.min(head.length, this.#staged.length)))).toBe(true);
        expect(head.length).toBeGreaterThanOrEqual(Math.min(step.length, this.#staged.length, 8_192));
      }
    }
  }

  async end(synced: boolean): Promise<void> {
    const content = this.#content;
    await appendAll(this.#staged, content.subarray(this.#staged.length));
    if (synced) await this.#sync(false);
    expect(await this.#staged.sha256()).toBe(sha256(content));
    await this.#staged.commit(this.#key);
    for (const former of this.#formerWriters) {
      await former.commit(this.#key).catch(() => {});
      await former.close();
    }
    for (const store of [this.#harness.store, this.#other])
      expect((await readAll(store, this.#key)).equals(content)).toBe(true);
  }

  #append(share: number, chunk: number): Promise<void> {
    const end = Math.min(this.#content.length, this.#staged.length + this.#bytes(share));
    return appendAll(this.#staged, this.#content.subarray(this.#staged.length, end), chunk);
  }

  async #mistake(share: number): Promise<void> {
    const { offset } = this.#row;
    if (this.#staged.length !== offset) await this.#sync(false);
    const room = this.#known ? this.#content.length - this.#staged.length : Number.POSITIVE_INFINITY;
    const start = this.#staged.length;
    await appendAll(this.#staged, someBytes(Math.min(room, this.#bytes(share))));
    await this.#staged.truncate(start);
    expect(this.#staged.length).toBe(start);
  }

  async #sync(lazy: boolean): Promise<void> {
    const before = this.#staged.length;
    const durable = await this.#staged.sync({ lazy });
    if (!lazy) expect(durable).toBe(before);
    expect(durable).toBeGreaterThanOrEqual(this.#row.offset);
    this.#save(durable);
  }

  async #resume({ elsewhere, takeover }: { elsewhere: boolean; takeover: boolean }): Promise<void> {
    const former = this.#staged;
    if (!takeover) await former.close();
    const store = elsewhere ? this.#other : this.#harness.store;
    const { ref, offset } = this.#row;
    this.#fence += 1;
    this.#staged = await store.resume(JSON.parse(JSON.stringify(ref)), {
      durable: offset,
      takeover,
      fence: this.#fence,
    });
    expect(this.#staged.length).toBe(offset);
    this.#save(offset);
    if (!takeover) return;
    this.#formerWriters.push(former);
    const room = this.#known ? this.#content.length - former.length : this.#harness.boundary + 10;
    await appendAll(former, someBytes(Math.max(0, room))).catch(() => {});
    await former.sync().catch(() => {});
  }

  #save(offset = this.#staged.length): void {
    this.#row = { ref: this.#staged.ref, offset };
  }

  #bytes(share: number): number {
    return Math.floor((share * this.#content.length) / 100);
  }
}

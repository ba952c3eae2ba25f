import type { Clock, Random } from '@carcosa/kernel';
import { CallerHash } from './caller-hash.ts';
import type { LimitDecision, LimitPolicy, LimitStore } from './limit-store.ts';
import { decide, RING_SLOTS, slotAfter, slotLength } from './sliding-window.ts';

/** A record is so many 32-bit numbers: the two halves of the hash, newest slot, sum, slot length, limit, two spare, the ring. */
const RECORD = 24;
const HASH_A = 0;
const HASH_B = 1;
const NEWEST = 2;
const USED = 3;
const SLOT_MS = 4;
const LIMIT = 5;
const RING = 8;
const NONE = -1;
/** Of an index's entry. */
const NUMBER_BITS = 21;
const NUMBER = (1 << NUMBER_BITS) - 1;
const MAX_INT32 = 0x7fffffff;

/** Records are got in slabs, so that growing copies nothing. */
const SLAB_BITS = 14;
const SLAB_RECORDS = 1 << SLAB_BITS;
/** The first records are no one's own: 16 for each policy, shared by those for whom there is no room. */
const SHARED_RECORDS = 256;
/** Records that are looked at to find one that can be given away. */
const INSPECTED = 64;

export interface MemoryLimitStoreParts {
  clock: Clock;
  random: Random;
  /** Most callers, counted once in each tier, that are remembered at a time; a power of two, at most and by default 1,048,576 (104 MiB). */
  capacity?: number;
}

/**
 * The sliding window of {@link slotAfter} in the memory of one process, for a bounded number of callers and without an object for any of
 * them. Where all room is taken, the one who used least of its limit among 64 is forgotten, but nobody who used half of it: if
 * there are only such, newcomers share counters, so that they may be refused early and never let through too often.
 */
export class MemoryLimitStore implements LimitStore {
  readonly #clock: Clock;
  readonly #hash: CallerHash;
  readonly #capacity: number;
  /**
   * Open addressing, with twice as many places as records: number of the record plus one in the lower 21 bits, above them those of the
   * hash, so that hardly ever a record is looked at in vain: that costs more than all the rest. 0 for a free place.
   */
  readonly #index: Int32Array;
  readonly #mask: number;
  readonly #slabs: Int32Array[] = [];
  #records = SHARED_RECORDS;
  #hand = SHARED_RECORDS;

  constructor({ clock, random, capacity = 1 << 20 }: MemoryLimitStoreParts) {
    this.#clock = clock;
    this.#hash = new CallerHash(random);
    this.#capacity = capacity;
    // Zeroes that nobody has written to cost no memory, so the index need not grow.
    this.#index = new Int32Array(capacity * 2);
    this.#mask = capacity * 2 - 1;
    this.#slabs.push(new Int32Array(SLAB_RECORDS * RECORD));
  }

  /** Callers that are remembered, counted once in each tier. */
  get size(): number {
    return this.#records - SHARED_RECORDS;
  }

  take(policy: LimitPolicy, caller: string, limit: number): LimitDecision {
    const now = this.#clock.now();
    const slotMs = slotLength(policy);
    this.#hash.compute(policy.index, caller);
    let record = this.#find(this.#hash.a, this.#hash.b);
    if (record === NONE) record = this.#admit(policy, now);
    const slab = this.#slab(record);
    const base = at(record);
    const slot = moveTo(slab, base, Math.floor(now / slotMs));
    let used = slab[base + USED] as number;
    const allowed = used < limit;
    if (allowed) {
      const place = base + RING + (slot & (RING_SLOTS - 1));
      slab[place] = (slab[place] as number) + 1;
      used += 1;
      slab[base + USED] = used;
      slab[base + LIMIT] = Math.min(limit, MAX_INT32);
      slab[base + SLOT_MS] = slotMs;
    }
    return decide({ allowed, limit, used, slot, slotMs, now }, { counts: slab, base: base + RING });
  }

  peek(policy: LimitPolicy, caller: string, limit: number): LimitDecision {
    const now = this.#clock.now();
    const slotMs = slotLength(policy);
    this.#hash.compute(policy.index, caller);
    const record = this.#find(this.#hash.a, this.#hash.b);
    // In a copy: to look must not change what a clock that goes back would find.
    const copy = record === NONE ? new Int32Array(RECORD) : this.#slab(record).slice(at(record), at(record) + RECORD);
    const slot = moveTo(copy, 0, Math.floor(now / slotMs));
    const used = copy[USED] as number;
    return decide({ allowed: used < limit, limit, used, slot, slotMs, now }, { counts: copy, base: RING });
  }

  reset(policy: LimitPolicy, caller: string): void {
    this.#hash.compute(policy.index, caller);
    const record = this.#find(this.#hash.a, this.#hash.b);
    if (record === NONE) return;
    clear(this.#slab(record), at(record));
  }

  #slab(record: number): Int32Array {
    return this.#slabs[record >>> SLAB_BITS] as Int32Array;
  }

  /** The record of that hash, or NONE. */
  #find(a: number, b: number): number {
    for (let place = a & this.#mask; ; place = (place + 1) & this.#mask) {
      const entry = this.#index[place] as number;
      if (entry === 0) return NONE;
      if (entry >>> NUMBER_BITS !== a >>> NUMBER_BITS) continue;
      const record = (entry & NUMBER) - 1;
      const slab = this.#slab(record);
      const base = at(record);
      if (slab[base + HASH_A] === a && slab[base + HASH_B] === b) return record;
    }
  }

  /** A record for the caller that was hashed last: a new one, one that somebody needs no more, or one that is shared. */
  #admit(policy: LimitPolicy, now: number): number {
    const { a, b } = this.#hash;
    let record: number;
    if (this.#records < this.#capacity) {
      record = this.#records++;
      if (record % SLAB_RECORDS === 0) this.#slabs.push(new Int32Array(SLAB_RECORDS * RECORD));
    } else {
      record = this.#evict(now);
      if (record === NONE) return ((policy.index & 15) << 4) | (a >>> 28);
    }
    const slab = this.#slab(record);
    const base = at(record);
    slab.fill(0, base, base + RECORD);
    slab[base + HASH_A] = a;
    slab[base + HASH_B] = b;
    this.#insert(record, a);
    return record;
  }

  #insert(record: number, a: number): void {
    let place = a & this.#mask;
    while (this.#index[place] !== 0) place = (place + 1) & this.#mask;
    this.#index[place] = (record + 1) | (a & ~NUMBER);
  }

  /** A record that was taken from its owner, or NONE where all that were looked at have used half of their limit or more. */
  #evict(now: number): number {
    let found = NONE;
    let least = 0.5;
    for (let looked = 0; looked < INSPECTED && least > 0; looked++) {
      const record = this.#hand;
      this.#hand = record + 1 < this.#capacity ? record + 1 : SHARED_RECORDS;
      const share = shareOf(this.#slab(record), at(record), now);
      if (share >= least) continue;
      found = record;
      least = share;
    }
    if (found !== NONE) this.#remove(found);
    return found;
  }

  /** Takes the record out of the index; those behind it move up, so that no search ends too early (Knuth, volume 3, 6.4, algorithm R). */
  #remove(record: number): void {
    let gap = this.#home(record);
    while (((this.#index[gap] as number) & NUMBER) !== record + 1) gap = (gap + 1) & this.#mask;
    for (let place = (gap + 1) & this.#mask; this.#index[place] !== 0; place = (place + 1) & this.#mask) {
      const home = this.#home(((this.#index[place] as number) & NUMBER) - 1);
      if (((place - home) & this.#mask) < ((place - gap) & this.#mask)) continue;
      this.#index[gap] = this.#index[place] as number;
      gap = place;
    }
    this.#index[gap] = 0;
  }

  #home(record: number): number {
    return (this.#slab(record)[at(record) + HASH_A] as number) & this.#mask;
  }
}

/** Where a record begins in its slab. */
const at = (record: number): number => (record & (SLAB_RECORDS - 1)) * RECORD;

/**
 * Makes `slot` the newest of the ring, so that what is older than a window falls out of it; returns the slot to count in. That is a
 * later one where the clock was set back by less than a window: see `slotAfter`.
 */
function moveTo(slab: Int32Array, base: number, slot: number): number {
  const newest = slab[base + NEWEST] as number;
  if (slot === newest) return slot;
  if (slot < newest) return moveBack(slab, base, slot);
  slab[base + NEWEST] = slot;
  if (slab[base + USED] === 0) return slot;
  if (slot - newest >= RING_SLOTS) {
    clear(slab, base);
    return slot;
  }
  for (let each = newest + 1; each <= slot; each++) {
    const place = base + RING + (each & (RING_SLOTS - 1));
    slab[base + USED] = (slab[base + USED] as number) - (slab[place] as number);
    slab[place] = 0;
  }
  return slot;
}

function moveBack(slab: Int32Array, base: number, slot: number): number {
  let used = slab[base + NEWEST] as number;
  const oldest = used - RING_SLOTS;
  while (used > oldest && slab[base + RING + (used & (RING_SLOTS - 1))] === 0) used--;
  const counted = used === oldest ? slot : slotAfter(slot, used);
  if (counted < used) clear(slab, base);
  slab[base + NEWEST] = counted;
  return counted;
}

function clear(slab: Int32Array, base: number): void {
  slab.fill(0, base + RING, base + RECORD);
  slab[base + USED] = 0;
}

/** How much of its limit a caller has used, as far as it still counts: 0 for one that nobody needs any more. */
function shareOf(slab: Int32Array, base: number, now: number): number {
  const slotMs = slab[base + SLOT_MS] as number;
  const isOver = slotMs === 0 || now >= ((slab[base + NEWEST] as number) + RING_SLOTS) * slotMs;
  return isOver ? 0 : (slab[base + USED] as number) / Math.max(1, slab[base + LIMIT] as number);
}

import type { LimitDecision, LimitPolicy } from './limit-store.ts';

/**
 * A window is cut in 15 slots that begin at multiples of their length since the epoch; what counts is the slot of now and the 15
 * before it. Any span of one window's length that ends now lies within those 16, so that never more than the limit passes in any such
 * span. The price: what was used comes free up to one slot (1/15 of the window) later than by an exact log.
 */
export const WINDOW_SLOTS = 15;
/** Slots that count: those of the window and the one that it begins in. */
export const RING_SLOTS = WINDOW_SLOTS + 1;

/** Milliseconds. */
export const slotLength = (policy: LimitPolicy): number => policy.windowMs / WINDOW_SLOTS;

/**
 * The slot that a request counts in, where `slot` is that of the clock and `newest` the last one that something was counted in. A clock
 * that was set back by less than a window goes on counting where it was; one that was set back by more begins anew.
 */
export function slotAfter(slot: number, newest: number): number {
  return slot < newest && newest - slot < RING_SLOTS ? newest : slot;
}

/** A ring of slots: slot n is at `base + (n & 15)`. */
export interface SlotCounts {
  readonly counts: ArrayLike<number>;
  readonly base: number;
}

/** What was found in a ring whose newest slot is `slot`. */
export interface WindowState {
  allowed: boolean;
  limit: number;
  /** The sum of the ring, with this request if it is allowed. */
  used: number;
  slot: number;
  slotMs: number;
  now: number;
}

/** Says when what is used begins to fall, or when a refused caller may come again. */
export function decide(state: WindowState, { counts, base }: SlotCounts): LimitDecision {
  const { allowed, limit, used, slot, slotMs, now } = state;
  if (used === 0 && allowed) return { allowed, limit, used, resetAt: 0, waitMs: 0 };
  let left = used;
  let resetAt = (slot + RING_SLOTS) * slotMs;
  for (let distance = 1; distance <= RING_SLOTS; distance++) {
    // The slot next after the newest is where the oldest one stands.
    const count = counts[base + ((slot + distance) & (RING_SLOTS - 1))] ?? 0;
    left -= count;
    if (allowed ? count > 0 : left < limit) {
      resetAt = (slot + distance) * slotMs;
      break;
    }
  }
  return { allowed, limit, used, resetAt, waitMs: Math.max(1, resetAt - now) };
}

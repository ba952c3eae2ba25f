/** What is counted: the requests of a caller in one tier. */
export interface LimitPolicy {
  /** Unique among all policies: it is part of what is counted. */
  readonly name: string;
  /** From 0 to 15, unique among all policies. */
  readonly index: number;
  /** Milliseconds: a multiple of 15, at least 60,000. */
  readonly windowMs: number;
}

/** What was decided about one request, or would be. */
export interface LimitDecision {
  readonly allowed: boolean;
  readonly limit: number;
  /** Requests that count at present, with this one if it was allowed. */
  readonly used: number;
  /** When `used` begins to fall, or falls below the limit where it was refused; milliseconds since the epoch. 0: nothing is used. */
  readonly resetAt: number;
  /** Milliseconds until then, as the clock of the store has it. */
  readonly waitMs: number;
}

/** Counts requests. Only those that are allowed count: whoever goes on asking while refused waits no longer for it. */
export interface LimitStore {
  /** Decides about a request and counts it if it is allowed. `limit` is not remembered: it may differ each time. */
  take(policy: LimitPolicy, caller: string, limit: number): LimitDecision | Promise<LimitDecision>;
  /** What {@link take} would say, without counting; `used` is what counts now. */
  peek(policy: LimitPolicy, caller: string, limit: number): LimitDecision | Promise<LimitDecision>;
  /** Forgets what the caller used. */
  reset(policy: LimitPolicy, caller: string): void | Promise<void>;
}

/** A store that several nodes share, over a network that may fail. */
export interface SharedLimitStore {
  /** False while nothing would come of asking. */
  readonly isAvailable: boolean;
  take(policy: LimitPolicy, caller: string, limit: number): Promise<LimitDecision>;
  peek(policy: LimitPolicy, caller: string, limit: number): Promise<LimitDecision>;
  reset(policy: LimitPolicy, caller: string): Promise<void>;
}

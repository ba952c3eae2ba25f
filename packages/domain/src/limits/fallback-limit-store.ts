import type { Logger } from '@carcosa/kernel';
import type { LimitDecision, LimitPolicy, LimitStore, SharedLimitStore } from './limit-store.ts';
import type { MemoryLimitStore } from './memory-limit-store.ts';

export interface FallbackLimitStoreParts {
  shared: SharedLimitStore;
  memory: MemoryLimitStore;
  logger: Logger;
}

/**
 * Counts where all nodes do, and goes on alone while that cannot be reached. What this node let through is counted here as well, so
 * that nobody begins anew when the shared store is lost or emptied.
 */
export class FallbackLimitStore implements LimitStore {
  readonly #parts: FallbackLimitStoreParts;
  #isAlone = false;

  constructor(parts: FallbackLimitStoreParts) {
    this.#parts = parts;
  }

  take(policy: LimitPolicy, caller: string, limit: number): LimitDecision | Promise<LimitDecision> {
    const { shared, memory } = this.#parts;
    if (!shared.isAvailable) return this.#alone(undefined, () => memory.take(policy, caller, limit));
    return shared.take(policy, caller, limit).then(
      (decision) => {
        this.#together();
        if (!decision.allowed) return decision;
        const here = memory.take(policy, caller, limit);
        return here.allowed ? decision : here;
      },
      (error: unknown) => this.#alone(error, () => memory.take(policy, caller, limit)),
    );
  }

  peek(policy: LimitPolicy, caller: string, limit: number): LimitDecision | Promise<LimitDecision> {
    const { shared, memory } = this.#parts;
    if (!shared.isAvailable) return memory.peek(policy, caller, limit);
    return shared.peek(policy, caller, limit).catch(() => memory.peek(policy, caller, limit));
  }

  /** Of the other nodes' memories each must be told by itself. */
  async reset(policy: LimitPolicy, caller: string): Promise<void> {
    this.#parts.memory.reset(policy, caller);
    if (this.#parts.shared.isAvailable) await this.#parts.shared.reset(policy, caller);
  }

  #alone(error: unknown, decide: () => LimitDecision): LimitDecision {
    if (!this.#isAlone) {
      this.#isAlone = true;
      const message = 'Redis does not answer: rate limits are counted by each node alone until it does';
      this.#parts.logger.warn({ err: error }, message);
    }
    return decide();
  }

  #together(): void {
    if (!this.#isAlone) return;
    this.#isAlone = false;
    this.#parts.logger.info({}, 'Redis answers again: rate limits are shared');
  }
}

import { LIMIT_TIER_NAMES, LIMIT_TIERS, type LimitTier, type RateLimitOverrides } from '@carcosa/contracts';
import type { ObjectId, ProjectId } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { actorId } from '../access/actor.ts';
import type { ProjectFacts } from '../projects/project-facts.ts';
import type { LimitDecision, LimitPolicy, LimitStore } from './limit-store.ts';

/** Null: the request is not limited. */
export type Limited = LimitDecision | null;

export interface RateLimiterParts {
  store: LimitStore;
  projects: { facts(id: ProjectId): ProjectFacts | Promise<ProjectFacts> };
}

/** Each tier as the stores count it. */
export const POLICIES = Object.fromEntries(
  LIMIT_TIER_NAMES.map((name, index) => [name, { name, index, windowMs: LIMIT_TIERS[name].windowSeconds * 1000 }]),
) as Readonly<Record<LimitTier, LimitPolicy>>;

/**
 * Decides about each request, at once wherever what it needs is at hand: this is on the way of all of them. The limit is that of the
 * project, else that of the server, times the factor of the key.
 */
export class RateLimiter {
  /** Requests that were counted and let through, and that were refused, by tier. */
  readonly decided = Object.fromEntries(LIMIT_TIER_NAMES.map((tier) => [tier, { allowed: 0, refused: 0 }])) as Readonly<
    Record<LimitTier, { allowed: number; refused: number }>
  >;
  readonly #parts: RateLimiterParts;
  #overrides: RateLimitOverrides = {};

  constructor(parts: RateLimiterParts) {
    this.#parts = parts;
  }

  /** What administrators have set instead of the defaults. */
  get overrides(): RateLimitOverrides {
    return this.#overrides;
  }

  set overrides(overrides: RateLimitOverrides) {
    this.#overrides = overrides;
  }

  /** Requests a window that the server allows; null: any number. */
  serverLimit(tier: LimitTier): number | null {
    const override = this.#overrides[tier];
    return override === undefined ? LIMIT_TIERS[tier].limit : override;
  }

  /** Counts a request of somebody known: a key, a token or a user. What the program does itself is not limited. */
  takeActor(actor: Actor, tier: LimitTier): Limited | Promise<Limited> {
    if (actor.type === 'system') return null;
    if (actor.type === 'user') return this.#take(tier, actor.id, this.serverLimit(tier));
    const facts = this.#parts.projects.facts(actor.projectId);
    const factor = actor.type === 'api-key' ? actor.limitFactor : 1;
    const decide = ({ settings }: ProjectFacts): Limited | Promise<Limited> =>
      this.#take(tier, actorId(actor), this.#limitOf(tier, settings.rateLimits), factor);
    return facts instanceof Promise ? facts.then(decide) : decide(facts);
  }

  /** Counts a request of which only the address is known, as `clientOf` gives it. */
  takeAddress(address: string, tier: LimitTier): Limited | Promise<Limited> {
    return this.#take(tier, address, this.serverLimit(tier));
  }

  /**
   * Counts the download of a file at its own address, by client and project.
   * @param overrides the project's own limits, which come with the file
   */
  takeDownload(
    projectId: ProjectId,
    overrides: RateLimitOverrides | null,
    address: () => string,
  ): Limited | Promise<Limited> {
    const limit = this.#limitOf('public-download', overrides ?? undefined);
    return limit === null ? null : this.#take('public-download', `${projectId} ${address()}`, limit);
  }

  /**
   * Counts a picture that has to be made of a file for somebody unknown: one client could ask for a million of them.
   * @param overrides the project's own limits, which come with the file
   */
  takeVariant(objectId: ObjectId, overrides: RateLimitOverrides | null, address: string): Limited | Promise<Limited> {
    return this.#take('expensive', `${objectId} ${address}`, this.#limitOf('expensive', overrides ?? undefined));
  }

  /** How many requests a window somebody known may make; null: any number. */
  async limitFor(actor: Actor, tier: LimitTier): Promise<{ limit: number | null; reason: string }> {
    if (actor.type === 'system') return { limit: null, reason: 'the system is not limited' };
    if (actor.type === 'user') return { limit: this.serverLimit(tier), reason: 'the limit of the server for a person' };
    const { settings } = await this.#parts.projects.facts(actor.projectId);
    const limit = this.#limitOf(tier, settings.rateLimits);
    const own = settings.rateLimits[tier] !== undefined ? 'the limit of the project' : 'the limit of the server';
    const factor = actor.type === 'api-key' ? actor.limitFactor : 1;
    const reason = factor === 1 ? own : `${own}, ${factor} times for this key`;
    return { limit: limit === null ? null : limit * factor, reason };
  }

  /** What a caller has used of a tier. */
  peek(tier: LimitTier, caller: string, limit: number): LimitDecision | Promise<LimitDecision> {
    return this.#parts.store.peek(POLICIES[tier], caller, limit);
  }

  async reset(tier: LimitTier, caller: string): Promise<void> {
    await this.#parts.store.reset(POLICIES[tier], caller);
  }

  #limitOf(tier: LimitTier, overrides: RateLimitOverrides | undefined): number | null {
    const own = overrides?.[tier];
    return own === undefined ? this.serverLimit(tier) : own;
  }

  #take(tier: LimitTier, caller: string, limit: number | null, factor = 1): Limited | Promise<Limited> {
    if (limit === null) return null;
    const found = this.#parts.store.take(POLICIES[tier], caller, limit * factor);
    if (found instanceof Promise) return found.then((decision) => this.#note(tier, decision));
    return this.#note(tier, found);
  }

  #note(tier: LimitTier, decision: LimitDecision): LimitDecision {
    this.decided[tier][decision.allowed ? 'allowed' : 'refused'] += 1;
    return decision;
  }
}

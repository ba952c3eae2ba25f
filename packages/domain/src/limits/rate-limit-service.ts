import { isIP } from 'node:net';
import {
  type AddressBlock,
  type CallerLimits,
  LIMIT_TIER_NAMES,
  LIMIT_TIERS,
  RateLimitOverrides,
  type RateLimitTier,
} from '@carcosa/contracts';
import {
  findProject,
  findServerSetting,
  lockServerSetting,
  type Queryable,
  recordAudit,
  saveServerSetting,
  setProjectRateLimits,
} from '@carcosa/database';
import { CarcosaError, type Clock, isId } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { auditEntry } from '../audit/audit-entry.ts';
import type { Notifications } from '../notifications.ts';
import type { AddressBlocks, BlockedAddress } from './address-blocks.ts';
import { clientOf } from './client-address.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { assertServerAdministrator } from './server-administrator.ts';

/** Channel on which nodes tell each other what of the limits has changed: see {@link RateLimitService.announced}. */
export const RATE_LIMITS_CHANNEL = 'carcosa_rate_limits';
const SETTING = 'rate-limits';
const resource = { type: 'rate-limit', id: null } as const;

export interface RateLimitServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  limiter: RateLimiter;
  blocks: AddressBlocks;
  notifications: Notifications;
  clock: Clock;
  /** Told of a project that was changed here. */
  onChange: (id: string) => void;
}

/** Lets administrators of the server read, change and reset rate limits. Everybody else is `forbidden`. */
export class RateLimitService {
  readonly #parts: RateLimitServiceParts;

  constructor(parts: RateLimitServiceParts) {
    this.#parts = parts;
  }

  /** Reads what was changed: at start, and when another node says so. */
  async load(): Promise<void> {
    const stored = RateLimitOverrides.safeParse((await findServerSetting(this.#parts.db, SETTING)) ?? {});
    if (stored.success) this.#parts.limiter.overrides = stored.data;
  }

  /** What another node, or this one, has announced on {@link RATE_LIMITS_CHANNEL}. */
  async announced(message: Record<string, unknown>): Promise<void> {
    const { limiter, blocks } = this.#parts;
    const { changed, caller, block } = message as { changed?: true; caller?: string; block?: BlockedAddress };
    if (changed) await this.load();
    if (block) blocks.adopt(block);
    if (caller === undefined) return;
    blocks.release(caller);
    for (const tier of LIMIT_TIER_NAMES) await limiter.reset(tier, caller);
  }

  async tiers(actor: Actor): Promise<RateLimitTier[]> {
    assertServerAdministrator(actor);
    return this.#tiers();
  }

  /** Sets limits for all of the server; null lifts one. What is absent stays. */
  async change(actor: Actor, change: RateLimitOverrides): Promise<RateLimitTier[]> {
    assertServerAdministrator(actor);
    await this.#save(actor, 'rate-limit.update', (overrides) => ({ ...overrides, ...change }));
    return this.#tiers();
  }

  /** Brings the defaults back. */
  async restore(actor: Actor): Promise<RateLimitTier[]> {
    assertServerAdministrator(actor);
    await this.#save(actor, 'rate-limit.reset', () => ({}));
    return this.#tiers();
  }

  /** Replaces a project's own limits; `{}` ends them. @throws CarcosaError `not_found` */
  async setProject(actor: Actor, id: string, overrides: RateLimitOverrides): Promise<RateLimitOverrides> {
    assertServerAdministrator(actor);
    if (!isId('project', id)) throw new CarcosaError('not_found');
    await this.#parts.transaction(async (tx) => {
      const project = await findProject(tx, id);
      if (!project) throw new CarcosaError('not_found');
      await setProjectRateLimits(tx, id, overrides);
      const event = {
        action: 'project.set-rate-limits',
        resource: { type: 'project', id },
        place: { organizationId: project.organizationId, projectId: id },
        before: project.settings.rateLimits ?? {},
        after: overrides,
      } as const;
      await recordAudit(tx, [auditEntry(actor, event, this.#parts.clock)]);
    });
    this.#parts.onChange(id);
    return overrides;
  }

  /** What a caller has used: the id of a key, token or user, or a client address. Limits are those of the server. */
  async caller(actor: Actor, named: string): Promise<CallerLimits> {
    assertServerAdministrator(actor);
    const { limiter, blocks } = this.#parts;
    const caller = callerOf(named);
    const tiers = await Promise.all(
      LIMIT_TIER_NAMES.map(async (tier) => {
        const limit = limiter.serverLimit(tier);
        const { used, resetAt } = await limiter.peek(tier, caller, limit ?? Number.MAX_SAFE_INTEGER);
        const remaining = limit === null ? null : Math.max(0, limit - used);
        return { tier, limit, used, remaining, resetAt: used === 0 ? null : unixSeconds(resetAt) };
      }),
    );
    const until = blocks.blockedUntil(caller);
    return { caller, tiers, blockedUntil: until === 0 ? null : unixSeconds(until) };
  }

  /** Forgets on all nodes what a caller used, and ends its block. */
  async resetCaller(actor: Actor, named: string): Promise<void> {
    assertServerAdministrator(actor);
    const caller = callerOf(named);
    const event = { action: 'rate-limit.reset', resource: { type: 'rate-limit', id: caller } } as const;
    await recordAudit(this.#parts.db, [auditEntry(actor, event, this.#parts.clock)]);
    await this.announced({ caller });
    await this.#parts.notifications.publish(RATE_LIMITS_CHANNEL, { caller });
  }

  async blocks(actor: Actor): Promise<AddressBlock[]> {
    assertServerAdministrator(actor);
    return this.#parts.blocks.list().map((block) => ({ ...block, until: unixSeconds(block.until) }));
  }

  #tiers(): RateLimitTier[] {
    return LIMIT_TIER_NAMES.map((tier) => {
      const { limit: defaultLimit, windowSeconds } = LIMIT_TIERS[tier];
      return { tier, limit: this.#parts.limiter.serverLimit(tier), defaultLimit, windowSeconds };
    });
  }

  async #save(
    actor: Actor,
    action: 'rate-limit.update' | 'rate-limit.reset',
    change: (overrides: RateLimitOverrides) => RateLimitOverrides,
  ): Promise<void> {
    const { transaction, limiter, notifications, clock } = this.#parts;
    limiter.overrides = await transaction(async (tx) => {
      const stored = RateLimitOverrides.safeParse((await lockServerSetting(tx, SETTING)) ?? {});
      const before = stored.success ? stored.data : {};
      const after = change(before);
      await saveServerSetting(tx, SETTING, after);
      await recordAudit(tx, [auditEntry(actor, { action, resource, before, after }, clock)]);
      return after;
    });
    await notifications.publish(RATE_LIMITS_CHANNEL, { changed: true });
  }
}

/** Addresses may be written as they are met. */
const callerOf = (named: string): string => (isIP(named) === 0 ? named : clientOf(named));
const unixSeconds = (milliseconds: number): number => Math.ceil(milliseconds / 1000);

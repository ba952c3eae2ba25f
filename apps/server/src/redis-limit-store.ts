import { createHash } from 'node:crypto';
import {
  decide,
  type LimitDecision,
  type LimitPolicy,
  RING_SLOTS,
  type SharedLimitStore,
  slotLength,
} from '@carcosa/domain';
import { CarcosaError, type Clock, type Logger } from '@carcosa/kernel';
import type { Redis } from 'ioredis';

/** Milliseconds that a decision may take before the node decides alone, and for which Redis is then left in peace. */
const COMMAND_TIMEOUT = 250;
const PAUSE_MS = 1_000;
const CONNECT_TIMEOUT = 2_000;
const LONGEST_RETRY = 2_000;

/**
 * The sliding window of the domain's `slotAfter` and `decide`, in one step: a hash by the number of each slot. Sums what counts, adds this
 * request if that is below the limit, and drops what is older. ARGV: limit, slot length in ms, 1 to count or 0 to look, the time in
 * ms or "" for that of Redis, which all nodes share.
 */
const SCRIPT = `
local limit, slotMs, cost, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local slot = math.floor(now / slotMs)
local stored = redis.call('HGETALL', KEYS[1])
local newest = 0
for i = 1, #stored, 2 do newest = math.max(newest, tonumber(stored[i])) end
if slot < newest and newest - slot < ${RING_SLOTS} then slot = newest end
local used, counts, dropped = 0, {}, {}
for i = 1, ${RING_SLOTS} do counts[i] = 0 end
for i = 1, #stored, 2 do
  local at, count = tonumber(stored[i]), tonumber(stored[i + 1])
  if at > slot - ${RING_SLOTS} and at <= slot then
    counts[at % ${RING_SLOTS} + 1] = count
    used = used + count
  else
    dropped[#dropped + 1] = stored[i]
  end
end
local allowed = 0
if used < limit then allowed = 1 end
if cost == 1 then
  if #dropped > 0 then redis.call('HDEL', KEYS[1], unpack(dropped)) end
  if allowed == 1 then
    counts[slot % ${RING_SLOTS} + 1] = redis.call('HINCRBY', KEYS[1], string.format('%.0f', slot), 1)
    used = used + 1
    redis.call('PEXPIRE', KEYS[1], slotMs * ${RING_SLOTS + 1})
  end
end
return { allowed, used, string.format('%.0f', slot), string.format('%.0f', now), unpack(counts) }
`;
const SCRIPT_SHA = createHash('sha1').update(SCRIPT).digest('hex');

export interface RedisLimitStoreParts {
  /** As `redis://` or `rediss://`. */
  url: string;
  logger: Logger;
  /** Absent: that of Redis, so that nodes whose clocks differ agree. */
  clock?: Clock;
}

/** Rate limits in Redis: one round trip a decision; two for the first one after a start of Redis, which must be told the script. */
export class RedisLimitStore implements SharedLimitStore {
  readonly #clock: Clock | undefined;
  #redis: Redis | undefined;
  #isClosed = false;
  #pausedUntil = 0;
  /** When the first attempt to connect has come to an end, well or ill. */
  readonly connected: Promise<void>;

  /** Connects in the background, and again and again when that fails: nothing waits for it. */
  constructor({ url, logger, clock }: RedisLimitStoreParts) {
    this.#clock = clock;
    this.connected = this.#connect(url, logger).catch((error: unknown) => logger.debug({ err: error }, 'redis'));
  }

  get isAvailable(): boolean {
    return this.#redis?.status === 'ready' && performance.now() >= this.#pausedUntil;
  }

  take(policy: LimitPolicy, caller: string, limit: number): Promise<LimitDecision> {
    return this.#run(policy, caller, limit, 1);
  }

  peek(policy: LimitPolicy, caller: string, limit: number): Promise<LimitDecision> {
    return this.#run(policy, caller, limit, 0);
  }

  async reset(policy: LimitPolicy, caller: string): Promise<void> {
    await this.#redis?.del(keyOf(policy, caller));
  }

  /** Asks it for an answer. @throws CarcosaError `overloaded` when there is no connection, or the error of the driver */
  async check(): Promise<void> {
    if (this.#redis?.status !== 'ready') throw new CarcosaError('overloaded');
    await this.#redis.ping();
  }

  close(): void {
    this.#isClosed = true;
    this.#redis?.disconnect();
  }

  async #connect(url: string, logger: Logger): Promise<void> {
    // Loaded only where it is wanted: most servers are one node.
    const { Redis } = await import('ioredis');
    if (this.#isClosed) return;
    this.#redis = new Redis(url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT,
      commandTimeout: COMMAND_TIMEOUT,
      retryStrategy: (attempt) => Math.min(LONGEST_RETRY, attempt * 100),
    });
    // Without a listener an error of the connection would end the process; what follows from it is logged by who asks.
    this.#redis.on('error', (error) => logger.debug({ err: error }, 'redis'));
    await this.#redis.connect();
  }

  async #run(policy: LimitPolicy, caller: string, limit: number, cost: 0 | 1): Promise<LimitDecision> {
    const slotMs = slotLength(policy);
    const values = [limit, slotMs, cost, this.#clock?.now() ?? ''];
    const answer = (await this.#evaluate(keyOf(policy, caller), values)) as (number | string)[];
    const [allowed, used, slot, now, ...counts] = answer.map(Number) as [number, number, number, number, ...number[]];
    const state = { allowed: allowed === 1, limit, used, slot, slotMs, now };
    return decide(state, { counts, base: 0 });
  }

  async #evaluate(key: string, values: (number | string)[]): Promise<unknown> {
    const redis = this.#redis;
    if (!redis) throw new Error('not connected yet');
    try {
      return await redis.evalsha(SCRIPT_SHA, 1, key, ...values).catch((error: unknown) => {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return redis.eval(SCRIPT, 1, key, ...values);
      });
    } catch (error) {
      // A Redis that hangs must not make every request wait for it.
      this.#pausedUntil = performance.now() + PAUSE_MS;
      throw error;
    }
  }
}

const keyOf = (policy: LimitPolicy, caller: string): string => `carcosa:limit:${policy.name}:${caller}`;

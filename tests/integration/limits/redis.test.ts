import { FallbackLimitStore, type LimitPolicy, MemoryLimitStore } from '@carcosa/domain';
import { type Logger, ManualClock, silentLogger, systemRandom } from '@carcosa/kernel';
import { RedisLimitStore } from '@carcosa/server/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { until } from '../../support/clock.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { describeWith } from '../../support/tools.ts';
import { ServingWorld } from '../serving/support.ts';

const WINDOW = 900_000;
const SLOT = WINDOW / 15;
const POLICY: LimitPolicy = { name: 'test', index: 0, windowMs: WINDOW };
const OTHER: LimitPolicy = { name: 'other', index: 1, windowMs: 3_600_000 };

describeWith(['redis-server'], 'rate limits over Redis', () => {
  let redis: TestRedis;
  const stores: RedisLimitStore[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const store of stores) store.close();
    await redis.close();
  });
  beforeEach(() => redis.client.flushall());

  async function connect(clock?: ManualClock): Promise<RedisLimitStore> {
    const store = new RedisLimitStore({ url: redis.url, logger: silentLogger, ...(clock ? { clock } : {}) });
    stores.push(store);
    await until(() => store.isAvailable, { what: 'a connection to Redis' });
    return store;
  }

  /** How often Redis was asked what, since the last `config resetstat`. */
  async function commands(): Promise<Record<string, number>> {
    const lines = (await redis.client.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
    return Object.fromEntries([...lines].map(([, name, calls]) => [name, Number(calls)]));
  }

  it('decide as in memory, whatever is asked in which order while the clock goes on, stands or is set back', async () => {
    const clock = new ManualClock();
    const shared = await connect(clock);
    const step = fc.record({
      pause: fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: 0, max: 2 * SLOT }) },
        { weight: 2, arbitrary: fc.integer({ min: -WINDOW - 2 * SLOT, max: 0 }) },
        { weight: 1, arbitrary: fc.integer({ min: -3 * WINDOW, max: 3 * WINDOW }) },
      ),
      caller: fc.constantFrom('one', 'another'),
      policy: fc.constantFrom(POLICY, OTHER),
      limit: fc.integer({ min: 0, max: 6 }),
      act: fc.constantFrom('take', 'take', 'take', 'peek', 'reset'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        await redis.client.flushdb();
        const memory = new MemoryLimitStore({ clock, random: systemRandom });
        for (const { pause, caller, policy, limit, act } of steps) {
          clock.advance(pause);
          const [there, here] = [await shared[act](policy, caller, limit), memory[act](policy, caller, limit)];
          expect(there, `${act} ${policy.name} ${caller} ${limit}`).toEqual(here);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('take one round trip a decision, and share one count between nodes without ever exceeding it', async () => {
    const nodes = [await connect(), await connect()];
    await nodes[0]?.take(POLICY, 'warm-up', 1);
    await redis.client.config('RESETSTAT');
    const decisions = await Promise.all(
      Array.from({ length: 100 }, (_, each) => nodes[each % 2]?.take(POLICY, 'caller', 30)),
    );
    expect(decisions.filter((decision) => decision?.allowed)).toHaveLength(30);
    expect(await commands()).toMatchObject({ evalsha: 100 });
    const { evalsha: _, 'config|resetstat': __, info: ___, ...within } = await commands();
    // What the script does inside of Redis goes over no network.
    expect(Object.keys(within).sort()).toEqual(['hgetall', 'hincrby', 'pexpire', 'time']);
    expect(await redis.client.pttl('carcosa:limit:test:caller')).toBeGreaterThan(WINDOW);
  });

  it('teach Redis the script again where it has forgotten it', async () => {
    const store = await connect();
    await store.take(POLICY, 'caller', 5);
    await redis.client.script('FLUSH');
    expect(await store.take(POLICY, 'caller', 5)).toMatchObject({ allowed: true, used: 2 });
    await redis.client.config('RESETSTAT');
    expect(await store.take(POLICY, 'caller', 5)).toMatchObject({ allowed: true, used: 3 });
    expect(await commands()).toMatchObject({ evalsha: 1 });
    expect(await commands()).not.toHaveProperty('eval');
  });

  it('go on in each node alone while Redis is gone, hangs or was emptied, and say so once', async () => {
    const clock = new ManualClock();
    const shared = await connect(clock);
    const said: string[] = [];
    const note = (_fields: object, message: string): void => void said.push(message);
    const logger: Logger = { ...silentLogger, info: note, warn: note };
    const memory = new MemoryLimitStore({ clock, random: systemRandom });
    const store = new FallbackLimitStore({ shared, memory, logger });
    const take = async (times: number): Promise<number> => {
      let allowed = 0;
      for (let each = 0; each < times; each++) if ((await store.take(POLICY, 'caller', 10)).allowed) allowed++;
      return allowed;
    };
    expect(await take(4)).toBe(4);
    await redis.client.flushall();
    expect(await take(3), 'an emptied Redis makes nobody new').toBe(3);

    await redis.kill();
    expect(await take(10), 'what was used before counts').toBe(3);
    expect(said).toEqual([expect.stringMatching(/Redis does not answer/)]);

    await redis.start();
    await until(() => shared.isAvailable, { what: 'the connection after a restart' });
    expect(await take(10)).toBe(0);
    expect(said).toEqual([expect.anything(), expect.stringMatching(/Redis answers again/)]);

    redis.freeze();
    expect((await store.take(POLICY, 'somebody else', 1)).allowed).toBe(true);
    expect(shared.isAvailable, 'nobody else waits for it').toBe(false);
    expect((await store.take(POLICY, 'somebody else', 1)).allowed).toBe(false);
    redis.thaw();
    await until(() => shared.isAvailable, { what: 'the end of the pause' });
    await store.take(POLICY, 'a third one', 1);
    expect(said.map((each) => each.slice(0, 13))).toEqual([
      'Redis does no',
      'Redis answers',
      'Redis does no',
      'Redis answers',
    ]);
  });

  it('hold two nodes to one limit, at every door', async () => {
    const world = await ServingWorld.open({ env: { REDIS_URL: redis.url } });
    const other = await world.addNode();
    const { carcosa, projectId } = world.node;
    const { token } = await carcosa.apiKeys.create({ projectId, label: 'test', permissions: ['admin'] });
    const ask = (at: string) =>
      fetch(`${at}/api/v1/files/file_00000000000000000000000000`, {
        method: 'DELETE',
        headers: { 'x-api-key': token },
      });
    // Until it is connected a node counts alone.
    await until(async () => ((await redis.client.client('LIST')) as string).split('\n').length > 3 + stores.length, {
      what: 'the connections of both nodes',
    });
    const statuses = await Promise.all(
      Array.from({ length: 80 }, async (_, each) => (await ask(each % 2 === 0 ? world.node.url : other.url)).status),
    );
    expect(statuses.filter((status) => status === 404)).toHaveLength(50);
    expect(statuses.filter((status) => status === 429)).toHaveLength(30);
    const left = Array.from({ length: 20 }, (_, each) => (each % 2 === 0 ? world.node.url : other.url));
    const download = await Promise.all(left.map((at) => fetch(`${at}/`)));
    const remaining = download.map((answer) => Number(answer.headers.get('x-ratelimit-remaining')));
    expect(remaining.sort((a, b) => b - a)).toEqual(Array.from({ length: 20 }, (_, each) => 99 - each));
    await world.close();
  });
});

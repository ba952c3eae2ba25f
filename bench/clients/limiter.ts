/**
 * Decisions of the rate limiter in this process: node --expose-gc limiter.ts <work>, which is `same` (1,000 callers again and again),
 * `distinct` (1,000,000 callers, each again and again in turn), `new` (callers that nobody has seen), or `map` (what `same` does by a
 * Map of fixed windows, the least that anybody could do). Writes decisions a second of processor time and bytes of memory a caller as JSON.
 */
import { MemoryLimitStore } from '@carcosa/domain';
import { systemClock, systemRandom } from '@carcosa/kernel';

const MILLION = 1_000_000;
const DECISIONS = 4 * MILLION;
const policy = { name: 'bench', index: 0, windowMs: 3_600_000 };
const work = process.argv[2];

const callers = Array.from({ length: work === 'same' || work === 'map' ? 1_000 : MILLION }, (_, n) => {
  return `key_${n.toString(36).padStart(26, '0')}`;
});
/** Bytes of arrays beside the heap: all that the limiter has. */
const inUse = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().arrayBuffers;
};

const before = inUse();
const store = new MemoryLimitStore({ clock: systemClock, random: systemRandom });
const windows = new Map<string, { count: number; until: number }>();

function take(caller: string): boolean {
  if (work !== 'map') return store.take(policy, caller, 1000).allowed;
  const now = systemClock.now();
  let window = windows.get(caller);
  if (!window || window.until <= now) {
    window = { count: 0, until: now + policy.windowMs };
    windows.set(caller, window);
  }
  window.count += 1;
  return window.count <= 1000;
}

const rounds = work === 'new' ? 1 : DECISIONS / callers.length;
if (work !== 'new') for (const caller of callers) take(caller);
const begun = process.cpuUsage();
for (let round = 0; round < rounds; round++) for (const caller of callers) take(caller);
const { user, system } = process.cpuUsage(begun);
const seconds = (user + system) / 1e6;
const bytes = (inUse() - before) / callers.length;
console.log(JSON.stringify({ rate: (rounds * callers.length) / seconds, bytes, size: store.size }));

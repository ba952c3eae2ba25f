import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LoadGuard, type Work } from './load-guard.ts';

let now = 0;
let memory = 0;
let guard: LoadGuard;
beforeEach(() => {
  [now, memory] = [0, 50];
  const limits = { uploads: 3, transforms: 2, memory: 100, eventLoopDelayMs: 1000 };
  guard = new LoadGuard({ limits, now: () => now, memory: () => memory });
});
afterEach(() => guard.close());

const refusal = (work: Work): unknown => {
  try {
    guard.begin(work);
    return null;
  } catch (error) {
    return (error as { details: { reason: string } }).details.reason;
  }
};
const later = (milliseconds: number): void => {
  now += milliseconds;
  guard.look();
};

describe('work that is new', () => {
  it('is let in up to as much as there may be of its kind, and again when some has ended', () => {
    expect([1, 2, 3, 4].map(() => refusal('upload'))).toEqual([null, null, null, 'count']);
    expect([1, 2, 3].map(() => refusal('transform'))).toEqual([null, null, 'count']);
    guard.end('upload');
    expect([1, 2].map(() => refusal('upload'))).toEqual([null, 'count']);
    expect(guard.shed.upload.count).toBe(2);
  });

  it('is sent away while memory is short, and let in when it is not any more', () => {
    guard.begin('upload');
    memory = 101;
    later(500);
    expect(refusal('transform')).toBe('memory');
    memory = 100;
    later(500);
    expect(refusal('transform')).toBeNull();
  });

  it('is sent away while the event loop is late, and let in when that is a while ago', () => {
    guard.begin('upload');
    later(500 + 1500);
    expect(refusal('upload')).toBe('event-loop');
    later(500);
    expect(refusal('upload')).toBe('event-loop');
    later(500);
    expect(refusal('upload')).toBeNull();
  });

  it('is let in whatever happens where nothing is under way: it would wait for ever', () => {
    memory = 1000;
    later(60_000);
    expect(refusal('upload')).toBeNull();
    expect(refusal('upload')).toBe('memory');
  });

  it('says when to come again', () => {
    guard.begin('upload');
    memory = 1000;
    later(500);
    expect(() => guard.begin('upload')).toThrow(expect.objectContaining({ code: 'overloaded', retryAfter: 2 }));
  });
});

it('work that goes on is counted, and never sent away', () => {
  memory = 1000;
  for (let n = 0; n < 10; n++) guard.goOn('upload');
  expect(guard.inFlight.upload).toBe(10);
  expect(refusal('upload')).toBe('count');
});

it('there is never more new work of a kind under way than there may be', () => {
  const step = fc.tuple(fc.constantFrom<Work>('upload', 'transform'), fc.boolean(), fc.nat(200));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const own = new LoadGuard({ limits: guard.limits, now: () => now, memory: () => memory });
      const held: Record<Work, number> = { upload: 0, transform: 0 };
      for (const [work, begins, bytes] of steps) {
        memory = bytes;
        now += 200;
        if (!begins && held[work] > 0) {
          own.end(work);
          held[work] -= 1;
        } else if (begins) {
          try {
            own.begin(work);
            held[work] += 1;
          } catch {
            // Sent away: not counted.
          }
        }
        expect(own.inFlight).toEqual(held);
        expect(held.upload <= 3 && held.transform <= 2).toBe(true);
      }
      own.close();
    }),
  );
});

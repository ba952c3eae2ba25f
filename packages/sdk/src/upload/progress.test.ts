import { expect, it } from 'vitest';
import type { Timing } from '../timing.ts';
import { ProgressMeter } from './progress.ts';

function meterAt(total: number | null) {
  const clock = { at: 0, reports: 0 };
  const timing: Timing = { now: () => clock.at, random: () => 0, sleep: async () => {} };
  const meter = new ProgressMeter(timing, () => {
    clock.reports++;
  });
  meter.total = total;
  return { clock, meter };
}

it('adds up requests side by side, and what the server had before', () => {
  const { meter, clock } = meterAt(1000);
  meter.begin(100);
  clock.at = 1000;
  meter.sending('a', 200);
  meter.sending('b', 100);
  expect(meter.value).toEqual({ bytes: 400, total: 1000, fraction: 0.4, speed: 300, remaining: 2 });
  meter.ended('a', 200);
  meter.ended('b', 0);
  expect(meter.value.bytes).toBe(300);
});

it('takes its speed from the last seconds, not from the whole', () => {
  const { meter, clock } = meterAt(1_000_000);
  meter.begin(0);
  for (let second = 1; second <= 20; second++) {
    clock.at = second * 1000;
    meter.sending('a', second <= 10 ? second * 1000 : 10_000 + (second - 10) * 100);
  }
  expect(meter.value.speed).toBeCloseTo(100, 0);
});

it('reports at most ten times a second', () => {
  const { meter, clock } = meterAt(1000);
  meter.begin(0);
  for (let sent = 1; sent <= 1000; sent++) {
    clock.at = sent;
    meter.sending('a', sent);
  }
  expect(clock.reports).toBe(11);
});

it('says nothing of an end that nobody knows, and is done at once with nothing', () => {
  const { meter, clock } = meterAt(null);
  meter.begin(0);
  clock.at = 1000;
  meter.sending('a', 500);
  expect(meter.value).toMatchObject({ bytes: 500, total: null, fraction: 0, remaining: null, speed: 500 });
  expect(meterAt(0).meter.value.fraction).toBe(1);
});

import { ManualClock, systemRandom } from '@carcosa/kernel';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { breakerPause, JITTER, LONGEST_RETRY_AFTER, RETRY_DELAYS, retryAfter, retryDelay } from './schedule.ts';
import { newWebhookSecret, signatureHeaders } from './signature.ts';

describe('when a delivery is tried again', () => {
  it('keeps to the schedule, a tenth earlier or later, and ends', () => {
    const minutes = RETRY_DELAYS.map((delay) => delay / 60_000);
    expect(minutes).toEqual([0, 1 / 12, 5, 30, 120, 300, 600, 840, 1200, 1440]);
    fc.assert(
      fc.property(fc.nat({ max: 30 }), fc.uint8Array({ minLength: 2, maxLength: 2 }), (made, bytes) => {
        const delay = retryDelay(made, { bytes: () => bytes });
        const planned = RETRY_DELAYS[made];
        if (planned === undefined) expect(delay).toBeNull();
        else expect(Math.abs((delay ?? Number.NaN) - planned)).toBeLessThanOrEqual(planned * JITTER + 1);
      }),
    );
  });

  it('reads Retry-After as seconds or a date, bounded, whatever else it holds', () => {
    const now = Date.UTC(2026, 0, 1);
    expect(retryAfter('120', now)).toBe(120_000);
    expect(retryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
    expect(retryAfter('999999999', now)).toBe(LONGEST_RETRY_AFTER);
    for (const nothing of [undefined, '', '0', '-5', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT'])
      expect(retryAfter(nothing, now)).toBeNull();
    fc.assert(
      fc.property(fc.string(), (text) => {
        const wait = retryAfter(text, now);
        expect(wait === null || (wait > 0 && wait <= LONGEST_RETRY_AFTER)).toBe(true);
      }),
    );
  });

  it('pauses a webhook longer with each failure in a row, up to five minutes', () => {
    expect([0, 4, 5, 6, 7, 10, 1000].map(breakerPause)).toEqual([0, 0, 10_000, 20_000, 40_000, 300_000, 300_000]);
  });
});

describe('a signature', () => {
  it('is what the standard library verifies, for any body and either secret', () => {
    const clock = new ManualClock(Math.floor(performance.timeOrigin + performance.now()));
    fc.assert(
      fc.property(fc.json(), fc.boolean(), (body, isFormer) => {
        const secrets = [newWebhookSecret(systemRandom), newWebhookSecret(systemRandom)];
        const timestamp = Math.floor(clock.now() / 1000);
        const headers = signatureHeaders({ id: 'evt_1', timestamp, body }, secrets);
        expect(new Webhook(secrets[isFormer ? 1 : 0] ?? '').verify(body, headers)).toEqual(JSON.parse(body));
        expect(() => new Webhook(newWebhookSecret(systemRandom)).verify(body, headers)).toThrow();
        expect(() => new Webhook(secrets[0] ?? '').verify(`${body} `, headers)).toThrow();
      }),
      { numRuns: 50 },
    );
  });
});

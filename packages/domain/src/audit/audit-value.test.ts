import { ManualClock, systemRandom } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SYSTEM } from '../access/actor.ts';
import { formatApiKey, newApiKeyToken } from '../api-keys/token.ts';
import { auditEntry, changedFields } from './audit-entry.ts';
import { auditValue, MAX_VALUE_BYTES } from './audit-value.ts';
import { isSecretName, REDACTED, redactText } from './redact.ts';

const base64url = (text: string) => Buffer.from(text).toString('base64url');
const word = fc.stringMatching(/^[0-9A-Za-z]{24,60}$/);

/** Secrets by their form: all that matters of them must be gone, wherever they stood. */
const secretOfForm = fc.oneof(
  fc.constant(null).map(() => {
    const token = newApiKeyToken(systemRandom);
    return { text: formatApiKey(token), heart: token.secret };
  }),
  word.map((heart) => ({ text: `whsec_${heart}`, heart })),
  fc.tuple(word, word).map(([claim, heart]) => ({
    text: `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify({ claim }))}.${heart}`,
    heart,
  })),
  word.map((heart) => ({ text: `postgres://somebody:${heart}@db.example/x`, heart })),
  word.map((heart) => ({ text: `https://bucket.example/key?X-Amz-Signature=${heart}&x=1`, heart })),
  word.map((heart) => ({ text: `Bearer ${heart}`, heart })),
);

/** Names of fields that hold secrets, in the spellings of several habits. */
const secretName = fc.constantFrom(
  ...['password', 'newPassword', 'PASSWORD_HASH', 'secret', 'clientSecret', 'secretAccessKey', 'accessKeyId', 'token'],
  ...[
    'refresh_token',
    'access-token',
    'tokenHash',
    'credentials',
    'Authorization',
    'set-cookie',
    'x-api-key',
    'apiKey',
  ],
  ...['signingKey', 'privateKey', 'recoveryCodes', 'backup_codes', 'totp', 'otp', 'signature', 'webhookSecret'],
);

/** A tree of JSON with `leaf` somewhere in it. */
const around = (leaf: unknown) =>
  fc
    .array(fc.tuple(fc.constantFrom('list', 'object'), fc.jsonValue({ maxDepth: 1 })), { maxLength: 5 })
    .map((steps) =>
      steps.reduce<unknown>((inner, [step, beside]) => (step === 'list' ? [beside, inner] : { beside, inner }), leaf),
    );

describe('what an entry says of a state', () => {
  it('has no secret that is known by its form, wherever it stands', () => {
    const placed = secretOfForm.chain((secret) =>
      fc.record({
        heart: fc.constant(secret.heart),
        tree: fc
          .tuple(fc.string({ maxLength: 40 }), fc.string({ maxLength: 40 }))
          .chain(([before, after]) =>
            fc.oneof(around(`${before} ${secret.text} ${after}`), around({ [`${before} ${secret.text}`]: 1 })),
          ),
      }),
    );
    fc.assert(
      fc.property(placed, ({ heart, tree }) => {
        expect(JSON.stringify(auditValue(tree))).not.toContain(heart);
      }),
      { numRuns: 500 },
    );
  });

  it('has nothing of what stands under the name of a secret', () => {
    const placed = fc
      .tuple(secretName, word, fc.constantFrom('text', 'list', 'object', 'buffer'))
      .chain(([name, heart, form]) => {
        const held = { text: heart, list: [heart], object: { any: { thing: heart } }, buffer: Buffer.from(heart) }[
          form
        ];
        return fc.record({ heart: fc.constant(heart), tree: around({ [name]: held }) });
      });
    fc.assert(
      fc.property(placed, ({ heart, tree }) => {
        expect(JSON.stringify(auditValue(tree))).not.toContain(heart);
      }),
      { numRuns: 500 },
    );
  });

  it('still has what is no secret', () => {
    const value = {
      name: 'A name',
      path: 'photos/skies/sk_1.png',
      tags: ['a', 'b'],
      apiKeyId: 'key_01',
      tokenId: 'tok_01',
      signingKeyVersion: 7,
      hasPassword: true,
      password: null,
      settings: { defaultVisibility: 'private', trashRetentionDays: 30 },
      at: new Date(0),
      many: 9007199254740993n,
    };
    expect(auditValue(value)).toEqual({ ...value, at: '1970-01-01T00:00:00.000Z', many: '9007199254740993' });
    expect(redactText('/f/abc?w=800&token=abcdef&h=600')).toBe(`/f/abc?w=800&token=${REDACTED}&h=600`);
    expect(['footprint', 'keyId', 'key', 'path', 'permissions', 'organizationId'].filter(isSecretName)).toEqual([]);
  });

  it('is JSON of a bounded size that PostgreSQL takes, whatever it was, and says what was cut', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withNullPrototype: true }),
        (value) => {
          const text = JSON.stringify(auditValue(value));
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_VALUE_BYTES);
          expect(text).not.toContain('\\u0000');
          expect(text.isWellFormed()).toBe(true);
          expect(text).not.toMatch(/\\ud[89a-f]/i);
        },
      ),
    );
    const large = auditValue({
      small: 'kept',
      lines: Array.from({ length: 90 }, () => 'x'.repeat(500)),
      more: 'é'.repeat(3000),
    });
    expect(large).toMatchObject({ small: 'kept', more: expect.stringMatching(/^é{1024}… \[cut: 3000 characters\]$/) });
    expect(large).toHaveProperty('lines', expect.stringMatching(/^\[cut: \d+ bytes\]$/));
    expect(auditValue(Array.from({ length: 5000 }, (_, index) => index))).toHaveLength(101);
    expect(
      auditValue(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`${index}`.padEnd(900), 1]))),
    ).toMatch(/^\[cut: \d+ bytes\]$/);
    const round: Record<string, unknown> = {};
    round.round = round;
    expect(JSON.stringify(auditValue(round))).toContain('[cut: too deep]');
  });
});

describe('an entry', () => {
  it('says who, from where, what and where', () => {
    const clock = new ManualClock(1_000);
    const origin = { requestId: 'req_1', ipAddress: '203.0.113.7', userAgent: `curl/8\0${'x'.repeat(5000)}` };
    const entry = auditEntry(
      { type: 'anonymous', origin },
      { action: 'session.login', resource: { type: 'user', id: 'someone@example.com' }, result: 'unauthenticated' },
      clock,
    );
    expect(entry).toMatchObject({
      ...{ at: 1_000, actorType: 'anonymous', actorId: null, ipAddress: '203.0.113.7', requestId: 'req_1' },
      ...{
        organizationId: null,
        projectId: null,
        tenantId: null,
        before: null,
        after: null,
        result: 'unauthenticated',
      },
      userAgent: expect.stringMatching(/^curl\/8\uFFFDx+… \[cut: 5007 characters\]$/),
    });
    const event = {
      action: 'project.update',
      place: { projectId: 'prj_1', tenantId: '' },
      after: { name: 'x' },
    } as const;
    expect(auditEntry(SYSTEM, event, clock)).toMatchObject({
      ...{ actorType: 'system', actorId: 'system', tenantId: null, resourceType: null, result: 'success' },
    });
  });

  it('compares two states as JSON', () => {
    expect(changedFields({ a: 1, b: { c: [1] }, d: 'x' }, { a: 1, b: { c: [2] }, d: 'x' })).toEqual({
      before: { b: { c: [1] } },
      after: { b: { c: [2] } },
    });
  });
});

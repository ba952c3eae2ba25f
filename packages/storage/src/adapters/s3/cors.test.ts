import type { CORSRule } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { originMatches, withOurRule } from './cors.ts';

const origins = ['https://a.example', 'https://b.example', 'http://localhost:3000'];
const pattern = fc.constantFrom('*', 'https://*.example', 'http://localhost:*', 'https://other.test', ...origins);
const header = fc.constantFrom('ETag', 'etag', 'x-amz-request-id', 'x-own');
const rule: fc.Arbitrary<CORSRule> = fc.record(
  {
    ID: fc.constantFrom('one', 'two', 'carcosa'),
    AllowedOrigins: fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
    AllowedMethods: fc.uniqueArray(fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'), { minLength: 1 }),
    AllowedHeaders: fc.uniqueArray(fc.constantFrom('*', 'content-type', 'x-own')),
    ExposeHeaders: fc.uniqueArray(header),
    MaxAgeSeconds: fc.nat(9999),
  },
  { requiredKeys: ['AllowedOrigins', 'AllowedMethods'] },
);
const rules = fc.uniqueArray(rule, { maxLength: 6, selector: ({ ID }) => ID ?? {} });
const wanted = fc.uniqueArray(fc.constantFrom(...origins), { minLength: 1 });

/** What S3 does with a request: the first rule that fits. */
const ruleFor = (all: readonly CORSRule[], origin: string, method: string): CORSRule | undefined =>
  all.find(
    ({ AllowedOrigins = [], AllowedMethods = [] }) =>
      AllowedMethods.includes(method) && AllowedOrigins.some((each) => originMatches(each, origin)),
  );
const exposed = (found: CORSRule | undefined): string[] =>
  (found?.ExposeHeaders ?? []).map((name) => name.toLowerCase());

it('keeps every other rule as it is, and lets each origin put and see ETag', () => {
  fc.assert(
    fc.property(rules, wanted, (before, asked) => {
      const after = withOurRule(before, asked);
      expect(after.slice(1)).toEqual(before.filter(({ ID }) => ID !== 'carcosa'));
      for (const origin of asked) {
        const found = ruleFor(after, origin, 'PUT');
        expect(found?.AllowedHeaders).toContain('*');
        expect(exposed(found)).toContain('etag');
      }
    }),
  );
});

it('takes nothing from anybody: who was allowed something is so still, and sees the same headers or more', () => {
  fc.assert(
    fc.property(rules, wanted, (before, asked) => {
      const after = withOurRule(before, asked);
      for (const origin of [...origins, 'https://other.test', 'https://c.example']) {
        for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']) {
          const was = ruleFor(before, origin, method);
          if (!was) continue;
          expect(ruleFor(after, origin, method)).toBeDefined();
          expect(exposed(ruleFor(after, origin, method))).toEqual(expect.arrayContaining(exposed(was)));
        }
      }
    }),
  );
});

it('says the same again when it is asked again', () => {
  fc.assert(
    fc.property(rules, wanted, (before, asked) => {
      const once = withOurRule(before, asked);
      expect(withOurRule(once, asked)).toEqual(once);
    }),
  );
});

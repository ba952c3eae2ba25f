import fc from 'fast-check';
import { expect, it } from 'vitest';
import { scrub } from './scrub.ts';

it.each([
  ['a mail to camilla@example.com failed', 'a mail to [e-mail] failed'],
  [
    "ENOENT: no such file or directory, open '/data/buckets/b/private.txt'",
    "ENOENT: no such file or directory, open '…'",
  ],
  ['cannot read /var/lib/carcosa/buckets/x/private.txt: gone', 'cannot read [path]: gone'],
  ['connect ECONNREFUSED 10.1.2.3:5432', 'connect ECONNREFUSED [address]:5432'],
  ['connect ECONNREFUSED fe80::1', 'connect ECONNREFUSED [address]'],
  ['duplicate key value "Private Name" of "files_path"', "duplicate key value '…' of '…'"],
  ['postgres://carcosa:hunter2hunter2@db.example/x', 'postgres://carcosa:[redacted]@db.example/x'],
  ["it doesn't open 'private.txt", "it doesn't open '…'"],
  ['a plain sentence: nothing is taken away, at 12:30', 'a plain sentence: nothing is taken away, at 12:30'],
])('%s', (text, expected) => {
  expect(scrub(text)).toBe(expected);
});

it('takes secrets, e-mail addresses and what is quoted out of whatever they stand in, in bounded time', () => {
  const key = `sk_${'a'.repeat(16)}_${'b'.repeat(43)}`;
  const around = fc.string({ unit: fc.constantFrom(' ', 'a', '.', ',', '\n', '-', '(', ')') });
  fc.assert(
    fc.property(around, around, (before, after) => {
      expect(scrub(`${before} ${key} ${after}`)).not.toContain('b'.repeat(43));
      expect(scrub(`${before} camilla@example.com ${after}`)).not.toContain('camilla@');
      expect(scrub(`${before} 'private' ${after}`)).not.toContain('private');
    }),
  );
  for (const letter of ['/a', 'a@', "'", '0.', 'a:', '('])
    expect(scrub(letter.repeat(50_000)).length).toBeLessThan(1001);
});

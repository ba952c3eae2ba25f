import fc from 'fast-check';

/** Names that are allowed and have broken something somewhere: each must come back exactly as it went in. */
export const ODD_PATHS: readonly string[] = [
  'a',
  'ünïcødé.txt',
  'e\u0301 (NFD).txt',
  'é (NFC).txt',
  '日本語/写真.jpg',
  'الملف.pdf',
  '👩‍👩‍👧‍👦 family.png',
  'space at end ',
  ' space at start',
  'dot at end.',
  '...',
  '.hidden',
  '.htaccess',
  'CON',
  'nul.txt',
  'com1.log',
  'AUX/LPT1',
  'a:b',
  'C:\\Windows\\system32',
  'back\\slash.txt',
  '..\\..\\etc\\passwd',
  'percent%20literal',
  '%2e%2e%2fescape',
  '%252e%252e/x',
  '%00.txt',
  'question?.txt',
  'hash#tag.txt',
  'semi;colon=1&b=2.txt',
  'plus+plus.txt',
  'quote"double.txt',
  "quote'single.txt",
  'back`tick$(id).txt',
  '<script>alert(1)</script>.txt',
  'star*.txt',
  'pipe|.txt',
  '~tilde',
  '-rf',
  '--help',
  '__proto__',
  'constructor/prototype',
  'toString',
  'null',
  'undefined',
  'true',
  '0',
  '1e999',
  'index.html',
  'a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z',
  "Robert'); DROP TABLE files;--",
  `$\{jndi:ldap:/127.0.0.1/x}`,
  '{{7*7}}',
  'ＦＵＬＬ　ＷＩＤＴＨ',
  'İıſK',
  'ß and SS',
  '\u00a0nbsp',
  'zero\u200bwidth',
  'line\u2028separator',
  'Z̸̢͚a̶l̷g̵o̸',
  '𝕬𝖘𝖙𝖗𝖆𝖑',
  `${'長'.repeat(80)}.txt`,
  `${'n'.repeat(255)}`,
  `${'d/'.repeat(500)}deep`,
  'x'.repeat(1024),
];

/** Paths that no door may let through: each would leave its folder, name nothing, or not be text. */
export const FORBIDDEN_PATHS: readonly string[] = [
  '/etc/passwd',
  '//x',
  '../x',
  '../../../../../../etc/passwd',
  'a/../../x',
  'a/../b',
  'a/./b',
  '.',
  '..',
  'a/..',
  'a//b',
  'a/',
  '/',
  'nul\u0000byte',
  'new\nline',
  'carriage\rreturn',
  'tab\tstop',
  'esc\u001b[31m',
  'del\u007f',
  'c1\u0085',
  'x'.repeat(1025),
  '長'.repeat(342),
  `${'d/'.repeat(600)}x`,
];

const CHARACTERS = [
  ...' !"#$%&\'()*+,-.;:<=>?@[\\]^_`{|}~aZ09äé\u0301ßİ日本語👍🏽😀ﷺ',
  '%2e',
  '%2f',
  '%00',
  '..',
  '\\',
];

/** One segment of a path that is allowed: odd, but neither empty, "." nor "..". */
const segment = fc
  .array(fc.constantFrom(...CHARACTERS), { minLength: 1, maxLength: 12 })
  .map((parts) => parts.join(''))
  .filter((text) => text !== '.' && text !== '..');

/** Any path that is allowed, at most 1,024 bytes. */
export const oddPath: fc.Arbitrary<string> = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('/'))
  .filter((path) => Buffer.byteLength(path) <= 1024);

/** Any text at all, allowed as a path or not; lone surrogates left out, since they are not text. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc
    .array(fc.constantFrom('..', '.', '/', '\\', '%2e', '%2f', '\u0000', 'a', '\u202e'), { maxLength: 10 })
    .map((parts) => parts.join('')),
);

/** Bytes of a content. */
export const content: fc.Arbitrary<Buffer> = fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes));

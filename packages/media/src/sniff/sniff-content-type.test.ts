import { deflateRawSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SNIFF_BYTES, sniffContentType } from './sniff-content-type.ts';

const ascii = (text: string) => Buffer.from(text, 'latin1');
const utf8 = (text: string) => Buffer.from(text, 'utf8');
const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');

const PNG = hex(
  '89504e470d0a1a0a 0000000d494844520000000100000001080600000 01f15c489 0000000a49444154789c6300010000050001 0d0a2db4 0000000049454e44ae426082',
);
const JPEG = Buffer.concat([hex('ffd8ffe000104a46494600010100000100010000ffdb'), Buffer.alloc(64, 16), hex('ffd9')]);
const GIF = Buffer.concat([ascii('GIF89a'), hex('01000100800000 ffffff000000 2c00000000010001000002024401003b')]);
const WEBP = Buffer.concat([
  ascii('RIFF'),
  hex('1a000000'),
  ascii('WEBPVP8L'),
  hex('0d0000002f00000010071011118888fe0700'),
]);
const PDF = ascii('%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF');
const mp4 = (brand: string) =>
  Buffer.concat([
    hex('00000018'),
    ascii(`ftyp${brand}`),
    hex('00000200'),
    ascii('isomiso2'),
    hex('00000008'),
    ascii('free'),
  ]);
const webm = (docType: string) =>
  Buffer.concat([
    hex('1a45dfa3'),
    Buffer.from([0x80 | (19 + docType.length)]),
    hex('4286810142f7810142f2810442f38108'),
    hex('4282'),
    Buffer.from([0x80 | docType.length]),
    ascii(docType),
  ]);
const OGG = Buffer.concat([
  ascii('OggS'),
  hex('0002 0000000000000000 01000000 00000000 00000000 01 13'),
  ascii('OpusHead'),
  Buffer.alloc(11, 1),
]);
const WAV = Buffer.concat([
  ascii('RIFF'),
  hex('24000000'),
  ascii('WAVEfmt '),
  hex('10000000 0100 0100 44ac0000 88580100 0200 1000'),
  ascii('data'),
  hex('00000000'),
]);
const ICO = Buffer.concat([hex('000001000100 1010 0000 0100 2000 68040000 16000000'), Buffer.alloc(64)]);
const TAR = Buffer.concat([
  ascii('a.txt'),
  Buffer.alloc(95),
  ascii('0000644\0'),
  Buffer.alloc(149, 0x30),
  ascii('ustar\x0000'),
  Buffer.alloc(247),
]);
const LATIN1 = ascii('caf\xe9;cr\xe8me;1,50\r\n');
const NOISE = Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 7919 + 13) % 251)).fill(0, 0, 4);

/** A ZIP of one entry, as a real one begins. */
function zip(name: string, content: string, method: 0 | 8 = 8): Buffer {
  const raw = utf8(content);
  const data = method === 8 ? deflateRawSync(raw) : raw;
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(method, 8);
  header.writeUInt32LE(data.length, 18);
  header.writeUInt32LE(raw.length, 22);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, ascii(name), data, hex('504b0506'), Buffer.alloc(18)]);
}
const WORD = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const DOCX = zip(
  '[Content_Types].xml',
  `<?xml version="1.0"?><Types><Override PartName="/word/document.xml" ContentType="${WORD}.main+xml"/></Types>`,
);

const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const HTML = '<!DOCTYPE html><html><script>alert(1)</script></html>';

type Case = [what: string, bytes: Uint8Array, declared: string | null, name: string | undefined, expected: string];

const cases: Case[] = [
  // The signature beats what was said.
  ['png', PNG, null, undefined, 'image/png'],
  ['png declared html', PNG, 'text/html', 'x.html', 'image/png'],
  ['jpeg declared png', JPEG, 'image/png', 'x.png', 'image/jpeg'],
  ['gif', GIF, 'image/gif', 'x.gif', 'image/gif'],
  ['gif that is also script', ascii('GIF89a=1;alert(1)//'), 'text/javascript', 'x.js', 'image/gif'],
  ['webp', WEBP, null, undefined, 'image/webp'],
  ['ico', ICO, 'image/x-icon', 'favicon.ico', 'image/x-icon'],
  ['pdf', PDF, null, undefined, 'application/pdf'],
  ['pdf declared text', PDF, 'text/plain', 'x.txt', 'application/pdf'],
  [
    'pdf behind a line of text',
    Buffer.concat([ascii('HTTP/1.1 200 OK\r\n\r\n'), PDF]),
    'application/pdf',
    'x.pdf',
    'application/pdf',
  ],
  ['wav', WAV, 'audio/x-wav', undefined, 'audio/wav'],
  [
    'mp3 with a tag',
    Buffer.concat([ascii('ID3'), hex('04000000000000'), Buffer.alloc(32)]),
    null,
    'a.mp3',
    'audio/mpeg',
  ],
  ['opus in ogg', OGG, null, 'a.opus', 'audio/ogg'],
  ['mp4', mp4('isom'), null, undefined, 'video/mp4'],
  ['mp4 of a rarer brand', mp4('dash'), null, undefined, 'video/mp4'],
  ['m4a by brand', mp4('M4A '), 'video/mp4', undefined, 'audio/mp4'],
  ['m4a by declaration', mp4('isom'), 'audio/x-m4a', undefined, 'audio/mp4'],
  ['m4a by name', mp4('mp42'), null, 'a.m4a', 'audio/mp4'],
  ['quicktime', mp4('qt  '), 'video/mp4', 'a.mp4', 'video/quicktime'],
  ['heic', mp4('heic'), null, undefined, 'image/heic'],
  ['avif', mp4('avif'), null, undefined, 'image/avif'],
  ['webm', webm('webm'), null, undefined, 'video/webm'],
  ['webm audio', webm('webm'), 'audio/webm', undefined, 'audio/webm'],
  ['matroska', webm('matroska'), null, 'a.mkv', 'video/x-matroska'],
  ['gzip', gzipSync('x'), null, undefined, 'application/gzip'],
  ['gzipped svg is no svg', gzipSync(SVG), 'image/svg+xml', 'a.svgz', 'application/gzip'],
  ['tgz', gzipSync('x'), 'application/x-tgz', undefined, 'application/x-tgz'],
  ['tar', TAR, null, undefined, 'application/x-tar'],
  ['woff2', ascii('wOF2\0\x01\0\0'), null, undefined, 'font/woff2'],
  ['rtf', ascii('{\\rtf1 hello}'), 'text/plain', undefined, 'application/rtf'],

  // Containers.
  ['zip', zip('a.txt', 'a'), null, undefined, 'application/zip'],
  ['zip declared html', zip('a.txt', 'a'), 'text/html', 'x.html', 'application/zip'],
  ['docx by its content', DOCX, null, undefined, WORD],
  ['docx by declaration', zip('docProps/app.xml', 'a'), WORD, undefined, WORD],
  ['docx by name', zip('docProps/app.xml', 'a'), null, 'report.docx', WORD],
  ['epub', zip('mimetype', 'application/epub+zip', 0), null, undefined, 'application/epub+zip'],
  ['zip declared as picture', zip('a.txt', 'a'), 'image/png', 'a.png', 'application/zip'],
  ['old word', Buffer.concat([hex('d0cf11e0a1b11ae1'), Buffer.alloc(600)]), null, 'a.doc', 'application/msword'],

  // Text.
  ['plain', utf8('hello wörld\n'), null, undefined, 'text/plain'],
  ['plain by name', utf8('a: 1\n'), 'application/octet-stream', 'a.yml', 'application/yaml'],
  ['css', utf8('body { color: red }'), 'text/css; charset=utf-8', 'a.css', 'text/css'],
  ['javascript', utf8('alert(1)'), 'application/javascript', 'a.js', 'text/javascript'],
  ['json', utf8('{"a":1}'), 'application/json', undefined, 'application/json'],
  ['json by name', utf8('{"a":1}'), null, 'a.json', 'application/json'],
  ['csv', utf8('a,b\n1,2\n'), 'text/csv', undefined, 'text/csv'],
  ['markdown', utf8('# Title'), null, 'README.md', 'text/markdown'],
  [
    'markdown that begins with a tag',
    utf8('<p align="center">hi</p>\n\n# Title'),
    'text/markdown',
    'README.md',
    'text/markdown',
  ],
  ['markdown that is a page', utf8(HTML), 'text/markdown', 'README.md', 'text/html'],
  ['text declared as picture', utf8('hello'), 'image/png', 'a.png', 'text/plain'],
  ['text declared as pdf', utf8('hello'), 'application/pdf', 'a.pdf', 'text/plain'],
  ['text declared as xml', utf8('hello'), 'application/xml', undefined, 'text/plain'],
  ['text declared html', utf8('hello'), 'text/html', undefined, 'text/html'],
  [
    'text with a cut character',
    utf8('é'.repeat(3000)).subarray(0, SNIFF_BYTES + 1),
    'text/plain',
    undefined,
    'text/plain',
  ],
  ['utf-16', Buffer.concat([hex('fffe'), Buffer.from('hello', 'utf16le')]), null, undefined, 'text/plain'],
  ['latin-1 declared', LATIN1, 'text/csv', 'a.csv', 'text/csv'],
  ['latin-1 not declared', LATIN1, null, undefined, 'application/octet-stream'],
  ['nothing', Buffer.alloc(0), null, undefined, 'application/octet-stream'],
  ['nothing, declared text', Buffer.alloc(0), 'text/csv', undefined, 'text/csv'],
  ['nothing, declared picture', Buffer.alloc(0), 'image/png', undefined, 'application/octet-stream'],

  // Markup in disguise.
  ['html', utf8(HTML), 'text/html', 'a.html', 'text/html'],
  ['html declared png', utf8(HTML), 'image/png', 'a.png', 'text/html'],
  ['html declared text', utf8(HTML), 'text/plain', 'a.txt', 'text/html'],
  ['html declared json', utf8(HTML), 'application/json', 'a.json', 'text/html'],
  [
    'html behind white space and comment',
    utf8('\ufeff \n\t<!-- x > --> <script >1</script>'),
    'text/css',
    undefined,
    'text/html',
  ],
  ['html fragment', utf8('<b>x</b>'), null, undefined, 'text/html'],
  ['html in utf-16', Buffer.concat([hex('fffe'), Buffer.from(HTML, 'utf16le')]), 'text/plain', undefined, 'text/html'],
  ['html in latin-1', ascii(`<html>caf\xe9${HTML}`), 'text/plain', undefined, 'text/html'],
  ['svg', utf8(SVG), null, undefined, 'image/svg+xml'],
  ['svg declared png', utf8(SVG), 'image/png', 'a.png', 'image/svg+xml'],
  ['svg declared text', utf8(`<?xml version="1.0"?>\n<!-- x -->\n${SVG}`), 'text/plain', undefined, 'image/svg+xml'],
  [
    'svg with a prefix',
    utf8('<s:svg xmlns:s="http://www.w3.org/2000/svg"/>'),
    'text/plain',
    undefined,
    'image/svg+xml',
  ],
  [
    'svg with a document type',
    utf8(`<!DOCTYPE svg PUBLIC "x" "y" [<!ENTITY a "<b>">]>${SVG}`),
    null,
    undefined,
    'image/svg+xml',
  ],
  [
    'svg whose root is too far',
    utf8(`<?xml version="1.0"?><!--${'x'.repeat(5000)}-->${SVG}`),
    'image/svg+xml',
    undefined,
    'image/svg+xml',
  ],
  [
    'xhtml',
    utf8('<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>'),
    'text/plain',
    undefined,
    'application/xhtml+xml',
  ],
  ['xml', utf8('<?xml version="1.0"?><a/>'), 'text/plain', undefined, 'application/xml'],
  ['rss', utf8('<?xml version="1.0"?><rss/>'), 'application/rss+xml', undefined, 'application/rss+xml'],

  // Signatures that should be there.
  ['noise', NOISE, null, undefined, 'application/octet-stream'],
  ['noise declared png', NOISE, 'image/png', 'a.png', 'application/octet-stream'],
  ['noise declared html', NOISE, 'text/html', 'a.html', 'application/octet-stream'],
  ['noise declared zip', NOISE, 'application/x-zip-compressed', undefined, 'application/octet-stream'],
  ['noise declared multipart', NOISE, 'multipart/x-mixed-replace; boundary=x', undefined, 'application/octet-stream'],
  ['noise of a type without signature', NOISE, 'Application/X-Custom; v=1', undefined, 'application/x-custom'],
  ['noise with a broken type', NOISE, 'application/x\r\nset-cookie: a', undefined, 'application/octet-stream'],
];

describe('sniffContentType', () => {
  it.each(cases)('%s', async (_what, bytes, declared, name, expected) => {
    expect(await sniffContentType(bytes, declared, name)).toBe(expected);
  });

  it('never throws, and answers with a bare type whatever comes', async () => {
    const declared = fc.option(
      fc.oneof(fc.string(), fc.constantFrom('text/html', 'image/svg+xml', 'image/png', 'application/x-a; b=c')),
    );
    const prefix = fc.constantFrom(
      PNG,
      ascii('PK\x03\x04'),
      ascii('RIFF'),
      ascii('OggS'),
      ascii('ID3'),
      mp4('xxxx'),
      ascii('<?xml '),
      ascii('<!--'),
      Buffer.alloc(0),
    );
    await fc.assert(
      fc.asyncProperty(
        prefix,
        fc.uint8Array({ maxLength: 5000 }),
        declared,
        fc.string(),
        async (begin, rest, type, name) => {
          const found = await sniffContentType(Buffer.concat([begin, rest]), type, name);
          expect(found).toMatch(/^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/);
        },
      ),
    );
  });

  it('finds a page whatever stands in front of it that browsers step over, under any declared type', async () => {
    const space = fc.stringMatching(/^[ \t\r\n\f]{0,20}$/);
    const type = fc.constantFrom(
      null,
      'image/png',
      'text/plain',
      'text/markdown',
      'application/json',
      'application/octet-stream',
      'font/woff2',
    );
    await fc.assert(
      fc.asyncProperty(
        space,
        fc.constantFrom('<html>', '<SCRIPT>', '<!doctype HTML>', '<iframe '),
        type,
        async (before, tag, declared) => {
          expect(await sniffContentType(utf8(`${before}${tag} x`), declared, 'a.png')).toBe('text/html');
        },
      ),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentDisposition } from './content-disposition.ts';

describe('contentDisposition', () => {
  it.each([
    ['cat.jpg', 'inline; filename="cat.jpg"'],
    ['a b; c=d.txt', 'inline; filename="a b; c=d.txt"'],
    ['naïve.txt', `inline; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt`],
    ['日本.png', `inline; filename="__.png"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.png`],
    ['a"b\\c%41.txt', `inline; filename="a_b_c_41.txt"; filename*=UTF-8''a%22b%5Cc%2541.txt`],
    ["é'(*)!.txt", `inline; filename="_'(*)!.txt"; filename*=UTF-8''%C3%A9%27%28%2A%29!.txt`],
    ['x\r\nSet-Cookie: a=b', 'inline; filename="x__Set-Cookie: a=b"'],
    ['txt.\u202egpj.exe', 'inline; filename="txt._gpj.exe"'],
    ['../../etc/passwd', 'inline; filename=".._.._etc_passwd"'],
    ['', 'inline; filename="file"'],
    ['\ud800', `inline; filename="_"; filename*=UTF-8''%EF%BF%BD`],
  ])('%s', (name, expected) => {
    expect(contentDisposition('inline', name)).toBe(expected);
  });

  it('is one header of ASCII for any name, and gives it back whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const header = contentDisposition('attachment', name);
        expect(header).toMatch(/^attachment; filename="[^"\\%]*"(; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+)?$/);
        expect(header).toMatch(/^[\x20-\x7e]+$/);
        const extended = /\*=UTF-8''(.*)$/.exec(header)?.[1];
        const back = extended === undefined ? /filename="(.*)"/.exec(header)?.[1] : decodeURIComponent(extended);
        const kept = name.toWellFormed().replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff/]/gu, '_');
        expect(back).toBe(kept || 'file');
      }),
    );
  });
});

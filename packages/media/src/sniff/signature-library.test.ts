import fc from 'fast-check';
import { fileTypeFromBuffer } from 'file-type';
import { describe, expect, it } from 'vitest';
import { signatureLibrary } from './signature-library.ts';

/** Beginnings of many kinds, some of them with a mask, an offset or another encoding in the library. */
const BEGINNINGS = [
  ...[
    'BM',
    'PK\u0003\u0004',
    '%PDF-1.7',
    '8BPS',
    'OggS',
    'fLaC',
    'RIFF....WAVEfmt ',
    '....ftypmp42',
    'ID3',
    'gimp xcf ',
    '{\\rtf',
    'wOF2',
  ],
  ...[
    'MThd',
    '<?xml',
    '\u007fELF',
    'SQLi',
    'Obj\u0001',
    'glTF',
    'FWS',
    'MZ',
    '!<arch>\ndebian',
    'II*\u0000',
    'regf',
    'BEGIN:VCARD',
    'solid ',
  ],
  ...[
    '\u00ff\u00fb\u0090d',
    '\u00ff\u00f1P',
    '\u001f\u008b\u0008',
    '\u0000asm',
    'Cr24',
    'LZIP',
    'DICM',
    'Rar!\u001a\u0007',
    'icns',
  ],
].map((text) => Buffer.from(text, 'latin1'));
const utf16 = Buffer.from('\ufeff<\u0000?\u0000x\u0000m\u0000l\u0000 \u0000', 'latin1');
const beginning = fc.constantFrom(...BEGINNINGS, utf16, Buffer.alloc(0));
const padded = fc.tuple(fc.constantFrom(0, 0, 0, 4, 8, 128, 257), beginning, fc.uint8Array({ maxLength: 400 }));

describe('the library of signatures', () => {
  it('finds what it finds without our changes', async () => {
    const { newParser } = await signatureLibrary();
    let known = 0;
    await fc.assert(
      fc.asyncProperty(padded, async ([offset, head, rest]) => {
        const bytes = Buffer.concat([Buffer.alloc(offset), head, rest]);
        const expected = await fileTypeFromBuffer(bytes);
        if (expected) known += 1;
        expect(await newParser().fromBuffer(bytes)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
    // Otherwise nothing was compared.
    expect(known).toBeGreaterThan(100);
  });
});

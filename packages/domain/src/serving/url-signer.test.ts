import type { ProjectId } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UrlSigner } from './url-signer.ts';

const signer = new UrlSigner(Buffer.alloc(32, 7));
const subject = { projectId: 'prj_a' as ProjectId, signingKeyVersion: 1, key: 'abc' };
const grant = { expires: '1900000000', version: null, download: null };

describe('UrlSigner', () => {
  it('accepts its own signature and nothing near it', () => {
    const signature = signer.sign(subject, grant);
    expect(signature).toMatch(/^[\w-]{43}$/);
    expect(signer.verify(subject, grant, signature)).toBe(true);
    for (const wrong of [
      '',
      signature.slice(1),
      `${signature}=`,
      `${signature}A`,
      signature.toLowerCase(),
      'é'.repeat(43),
    ]) {
      expect(signer.verify(subject, grant, wrong)).toBe(false);
    }
  });

  it('accepts it for just that file, key of the project, and grant', () => {
    const signature = signer.sign(subject, grant);
    const others = [
      [{ ...subject, key: 'abd' }, grant],
      [{ ...subject, projectId: 'prj_b' as ProjectId }, grant],
      [{ ...subject, signingKeyVersion: 2 }, grant],
      [subject, { ...grant, expires: '1900000001' }],
      [subject, { ...grant, expires: '01900000000' }],
      [subject, { ...grant, version: 1 }],
      [subject, { ...grant, download: '' }],
      [subject, { ...grant, download: 'x.exe' }],
    ] as const;
    for (const [of, allowing] of others) expect(signer.verify(of, allowing, signature)).toBe(false);
    expect(new UrlSigner(Buffer.alloc(32, 8)).verify(subject, grant, signature)).toBe(false);
  });

  it('signs no two grants alike', () => {
    const any = fc.record({
      expires: fc.stringMatching(/^\d{1,12}$/),
      version: fc.option(fc.integer({ min: 1, max: 20 })),
      download: fc.option(fc.oneof(fc.constantFrom('', '\n', '=', '1\n='), fc.string({ maxLength: 4 }))),
    });
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(signer.verify(subject, a, signer.sign(subject, b))).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});

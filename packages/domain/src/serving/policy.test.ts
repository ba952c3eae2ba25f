import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheControl, contentTypeHeader, presentationOf, wouldRunOnOurOrigin } from './policy.ts';

describe('presentationOf', () => {
  it.each([
    ['image/png', 'inline', false],
    ['image/vnd.microsoft.icon', 'inline', false],
    ['video/mp4', 'inline', false],
    ['audio/mpeg', 'inline', false],
    ['font/woff2', 'inline', false],
    ['application/pdf', 'inline', false],
    ['application/json', 'inline', false],
    ['text/plain', 'inline', false],
    ['text/javascript', 'inline', false],
    ['image/svg+xml', 'inline', true],
    ['text/html', 'attachment', true],
    ['application/xhtml+xml', 'attachment', true],
    ['application/xml', 'attachment', true],
    ['text/xml', 'attachment', true],
    ['application/rss+xml', 'attachment', true],
    ['application/mathml+xml', 'attachment', true],
    ['image/x-other+xml', 'attachment', true],
    ['text/xsl', 'attachment', true],
    ['multipart/related', 'attachment', true],
    ['text/x-unknown', 'attachment', false],
    ['application/zip', 'attachment', false],
    ['application/octet-stream', 'attachment', false],
  ])('%s: %s, sandboxed: %s', (type, disposition, sandboxed) => {
    const shown = presentationOf(type);
    expect(shown.disposition).toBe(disposition);
    expect(shown.contentSecurityPolicy !== null).toBe(sandboxed);
    if (sandboxed) expect(shown.contentSecurityPolicy).toMatch(/default-src 'none'.*; sandbox$/);
  });

  it('shows no type whatever in a form that could run script', () => {
    const part = fc.stringMatching(/^[a-z0-9][a-z0-9.+-]{0,20}$/);
    const type = fc
      .tuple(
        fc.oneof(part, fc.constantFrom('text', 'image', 'application')),
        part,
        fc.constantFrom('', '+xml', 'html', '/xml'),
      )
      .map(([a, b, c]) => `${a}/${b}${c}`);
    fc.assert(
      fc.property(type, (contentType) => {
        const { disposition, contentSecurityPolicy } = presentationOf(contentType);
        if (disposition === 'inline' && contentSecurityPolicy === null) expect(contentType).not.toMatch(/html|xml$/);
      }),
    );
  });
});

describe('wouldRunOnOurOrigin', () => {
  it('stops scripts and workers that a page of ours would load, and nothing else', () => {
    for (const destination of ['script', 'serviceworker', 'worker']) {
      expect(wouldRunOnOurOrigin('text/javascript', { site: 'same-origin', destination })).toBe(true);
      expect(wouldRunOnOurOrigin('text/javascript', { site: 'cross-site', destination })).toBe(false);
      expect(wouldRunOnOurOrigin('image/png', { site: 'same-origin', destination })).toBe(false);
    }
    expect(wouldRunOnOurOrigin('text/javascript', { site: 'same-origin', destination: 'document' })).toBe(false);
    expect(wouldRunOnOurOrigin('text/javascript', { site: undefined, destination: undefined })).toBe(false);
  });
});

describe('contentTypeHeader', () => {
  it.each([
    ['image/png', null, 'image/png'],
    ['application/json', 'application/json; charset=latin1', 'application/json'],
    ['text/plain', null, 'text/plain; charset=utf-8'],
    ['text/csv', 'text/csv; charset=ISO-8859-1', 'text/csv; charset=iso-8859-1'],
    ['text/csv', 'text/csv; charset="windows-1252"; header=present', 'text/csv; charset=windows-1252'],
    ['text/plain', 'text/plain; charset=utf-7', 'text/plain; charset=utf-8'],
    ['text/plain', 'text/plain; charset=x\r\nSet-Cookie: a', 'text/plain; charset=utf-8'],
    ['text/html', 'text/html; charset=iso-8859-1', 'text/html; charset=utf-8'],
  ])('%s declared %s: %s', (type, declared, expected) => {
    expect(contentTypeHeader(type, declared)).toBe(expected);
  });
});

describe('cacheControl', () => {
  it('keeps versions and revalidates the rest; what is private stays out of shared caches', () => {
    const terms = (visibility: 'public' | 'private', versioned: boolean, expiresIn: number | null) =>
      cacheControl({ visibility, versioned, expiresIn });
    expect(terms('public', false, null)).toBe('public, max-age=0, must-revalidate');
    expect(terms('public', true, null)).toBe('public, max-age=31536000, immutable');
    expect(terms('private', false, 60)).toBe('private, max-age=0, must-revalidate');
    expect(terms('private', true, 60)).toBe('private, max-age=60, immutable');
  });
});

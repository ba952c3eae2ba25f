import { expect, it } from 'vitest';
import { resolveConfig } from './config.ts';
import { Layout } from './layout.ts';

const prefixOf = (prefix: string) => resolveConfig({ bucket: 'b', region: 'r', prefix }).prefix;

it('keeps everything below its prefix', () => {
  const layout = new Layout(prefixOf('/media/carcosa/'));
  expect(layout.object('a/b')).toBe('media/carcosa/a/b');
  expect(layout.staging('upl_1')).toBe('media/carcosa/.carcosa/staging/upl_1/');
  expect(layout.incoming('upl_1')).toBe('media/carcosa/.carcosa/incoming/upl_1');
  expect(layout.key('media/carcosa/a/b')).toBe('a/b');
  expect(layout.key(layout.incoming('upl_1'))).toBeNull();
  expect(new Layout(prefixOf('')).object('a')).toBe('a');
});

it.each(['.carcosa/x', '../x', '', 'a//b'])('refuses the key %j', (key) => {
  expect(() => new Layout('').object(key)).toThrow(expect.objectContaining({ code: 'invalid_path' }));
});

it.each(['', '..', 'a/b', 'x'.repeat(101)])('refuses the upload id %j', (id) => {
  expect(() => new Layout('').staging(id)).toThrow(expect.objectContaining({ code: 'invalid_path' }));
});

it('refuses an address that is none', () => {
  for (const endpoint of ['localhost:9000', 'ftp://x', '']) {
    expect(() => resolveConfig({ bucket: 'b', region: 'r', endpoint })).toThrow(/http\(s\)/);
  }
});

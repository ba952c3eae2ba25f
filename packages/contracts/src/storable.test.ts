import { describe, expect, it } from 'vitest';
import { Metadata, Tags } from './common.ts';
import { ListFilesQuery } from './file.ts';
import { MAX_METADATA_BYTES, metadataProblem } from './storable.ts';

const nested = (depth: number): Record<string, unknown> => {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < depth; level++) value = level % 2 ? { a: [value] } : { a: value };
  return value;
};

describe('metadata', () => {
  it('is any JSON object up to 16 KiB of UTF-8', () => {
    const overhead = Buffer.byteLength('{"a":""}');
    expect(Metadata.safeParse({ a: 'é'.repeat((MAX_METADATA_BYTES - overhead) / 2) }).success).toBe(true);
    expect(Metadata.safeParse({ a: 'é'.repeat((MAX_METADATA_BYTES - overhead) / 2 + 1) }).success).toBe(false);
    for (const wrong of [[], 'text', 7, null])
      expect(Metadata.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  });

  it('counts the digits that the database will write', () => {
    expect(metadataProblem({ a: Array.from({ length: 60 }, () => 1e250) })).toBeNull();
    expect(metadataProblem({ a: Array.from({ length: 70 }, () => 1e250) })).toContain('limited');
    expect(metadataProblem({ a: Array.from({ length: 70 }, () => -1e-250) })).toContain('limited');
  });

  it('is at most 32 levels deep, whatever is sent', () => {
    expect(metadataProblem({ a: [{}] })).toBeNull();
    expect(metadataProblem(JSON.parse(`{"a":${'['.repeat(31)}${']'.repeat(31)}}`))).toBeNull();
    expect(metadataProblem(JSON.parse(`{"a":${'['.repeat(32)}${']'.repeat(32)}}`))).toContain('deeper');
    expect(metadataProblem(JSON.parse(`{"a":${'['.repeat(8000)}${']'.repeat(8000)}}`))).toContain('deeper');
    expect(metadataProblem(nested(10_000))).toContain('deeper');
  });

  it('has no text that the database cannot hold', () => {
    for (const wrong of [{ a: 'x\u0000' }, { 'x\u0000': 1 }, { a: [{ b: '\ud800' }] }, { '\udfff': 1 }]) {
      expect(metadataProblem(wrong), JSON.stringify(wrong)).not.toBeNull();
    }
    expect(metadataProblem({ a: '\u0001\u{1f600}' })).toBeNull();
  });

  it('is not a way to a prototype', () => {
    const parsed = Metadata.parse(JSON.parse('{"__proto__":{"polluted":true},"a":1}'));
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect((parsed as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

it('tags and questions have no text that the database cannot hold', () => {
  expect(Tags.parse([' a ', 'a', 'b'])).toEqual(['a', 'b']);
  for (const wrong of [['x\u0000'], ['\ud800'], [' '], ['x'.repeat(65)]])
    expect(Tags.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  for (const field of ['q', 'folder', 'tag', 'uploader']) {
    expect(ListFilesQuery.safeParse({ [field]: 'x\u0000' }).success, field).toBe(false);
    expect(ListFilesQuery.safeParse({ [field]: 'x' }).success, field).toBe(true);
  }
});

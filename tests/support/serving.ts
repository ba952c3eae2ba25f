import { expect } from 'vitest';
import type { Served } from './files.ts';

/**
 * The name that a browser reads from `Content-Disposition`, by RFC 6266 and RFC 8187; throws on what these do not allow.
 */
export function dispositionName(header: string): { kind: string; name: string | null } {
  const kind = /^[a-z]+/i.exec(header)?.[0]?.toLowerCase() ?? '';
  const parameters = new Map<string, string>();
  const rest = header.slice(kind.length);
  const pattern = /;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=("(?:[^"\\]|\\.)*"|[!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*/gy;
  let at = 0;
  for (let match = pattern.exec(rest); match; match = pattern.exec(rest)) {
    parameters.set((match[1] as string).toLowerCase(), match[2] as string);
    at = pattern.lastIndex;
  }
  if (at !== rest.length) throw new Error(`not RFC 6266: ${header}`);
  if (!/^[\x20-\x7e]*$/.test(header)) throw new Error(`a header of more than ASCII: ${header}`);
  const extended = parameters.get('filename*');
  if (extended !== undefined) {
    const value = /^UTF-8''((?:[!#$&+\-.^_`|~0-9A-Za-z]|%[0-9A-Fa-f]{2})*)$/.exec(extended)?.[1];
    if (value === undefined) throw new Error(`not RFC 8187: ${extended}`);
    return { kind, name: decodeURIComponent(value) };
  }
  const plain = parameters.get('filename');
  if (plain === undefined) return { kind, name: null };
  return { kind, name: plain.startsWith('"') ? plain.slice(1, -1).replace(/\\(.)/g, '$1') : plain };
}

const SCRIPTED =
  /^(text\/html|application\/xhtml\+xml|image\/svg\+xml|text\/xml|application\/xml|text\/xsl|application\/mathml\+xml|[^;]*\+xml)\b/i;

/** Expects that a browser which opens this answer on our origin runs nothing of it. */
export function expectInert({ headers, status }: Served, what = ''): void {
  expect(status, what).toBe(200);
  expect(headers.get('x-content-type-options'), what).toBe('nosniff');
  const type = headers.get('content-type') ?? '';
  expect(type, `${what}: a type is named, or a browser guesses`).toMatch(/^[\w.+-]+\/[\w.+-]+/);
  if (!SCRIPTED.test(type)) return;
  const attached = /^attachment\b/i.test(headers.get('content-disposition') ?? '');
  const policy = headers.get('content-security-policy') ?? '';
  const sandboxed = /(^|;)\s*sandbox\b(?![^;]*allow-scripts)/.test(policy);
  expect(attached || sandboxed, `${what}: ${type} is neither attached nor in a sandbox (${policy})`).toBe(true);
}

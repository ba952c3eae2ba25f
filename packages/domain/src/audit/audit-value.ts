import { isSecretName, REDACTED, redactText } from './redact.ts';

/** Most bytes of one `before` or `after`, as JSON. */
export const MAX_VALUE_BYTES = 8 * 1024;
/** Longest text in one, in characters. */
const MAX_TEXT = 1024;
/** Most items of a list, and fields of an object. */
const MAX_ITEMS = 100;
const MAX_DEPTH = 8;

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/**
 * What an entry says of a state: as JSON would have it, without secrets, and at most {@link MAX_VALUE_BYTES}. Where something was
 * cut, it says so: `… [cut: 5000 characters]`, `[cut: 20000 bytes]`. Null for nothing.
 */
export function auditValue(value: unknown): Json {
  if (value === undefined || value === null) return null;
  return fitted(plain(value, 0));
}

/** A short text from outside: without secrets, at most `max` characters and fit for the database. */
export function auditText(text: string | null | undefined, max: number): string | null {
  if (text === null || text === undefined) return null;
  return shortened(storable(redactText(text)), max, text.length);
}

function plain(value: unknown, depth: number): Json {
  if (typeof value === 'string') return auditText(value, MAX_TEXT);
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return null;
  if (value instanceof Date) return Number.isFinite(value.getTime()) ? value.toISOString() : null;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[cut: too deep]';
  if (value instanceof Set) return plain([...value], depth);
  if (value instanceof Map) return plain(Object.fromEntries(value), depth);
  return Array.isArray(value) ? plainList(value, depth) : plainObject(value, depth);
}

function plainList(list: readonly unknown[], depth: number): Json[] {
  const items = list.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1));
  return list.length > MAX_ITEMS ? [...items, `[cut: ${list.length - MAX_ITEMS} items]`] : items;
}

function plainObject(value: object, depth: number): Json {
  const all = Object.entries(value).filter(([, item]) => item !== undefined && typeof item !== 'function');
  const entries = all.slice(0, MAX_ITEMS).map(([name, item]): [string, Json] => {
    const shown = auditText(name, MAX_TEXT) as string;
    return [shown, isSecretName(name) ? hidden(item) : plain(item, depth + 1)];
  });
  if (all.length > MAX_ITEMS) entries.push(['[cut]', `${all.length - MAX_ITEMS} fields`]);
  return Object.fromEntries(entries);
}

/** That there is or is not a secret is none. */
function hidden(value: unknown): Json {
  if (value === null || typeof value === 'boolean') return value;
  return REDACTED;
}

/** Replaces the largest fields until the rest fits. */
function fitted(value: Json): Json {
  let bytes = sizeOf(value);
  if (bytes <= MAX_VALUE_BYTES) return value;
  const whole = `[cut: ${bytes} bytes]`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return whole;
  const fields = Object.entries(value).map(([name, item]) => ({ name, size: sizeOf(item) }));
  const kept = { ...value };
  for (const { name, size } of fields.sort((a, b) => b.size - a.size)) {
    if (bytes <= MAX_VALUE_BYTES) return kept;
    const note = `[cut: ${size} bytes]`;
    kept[name] = note;
    bytes -= size - sizeOf(note);
  }
  return bytes <= MAX_VALUE_BYTES ? kept : whole;
}

const sizeOf = (value: Json): number => Buffer.byteLength(JSON.stringify(value));

function shortened(text: string, max: number, length: number): string {
  if (text.length <= max) return text;
  // Not through the middle of a character.
  return `${text
    .slice(0, max)
    .toWellFormed()
    .replace(/\uFFFD$/, '')}… [cut: ${length} characters]`;
}

/** PostgreSQL takes neither NUL nor half characters. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

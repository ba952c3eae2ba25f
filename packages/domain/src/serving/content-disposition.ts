export type Disposition = 'inline' | 'attachment';

// Controls and marks that reorder text, as paths refuse them too, and the separator of paths.
const UNSAFE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff/]/gu;
// Quotes and backslashes would need escapes that not every client undoes, and some decode "%41" inside of the quotes.
const UNQUOTABLE = /[^\x20-\x7e]|["\\%]/gu;

/**
 * Content-Disposition for any Unicode name (RFC 6266): in ASCII for every client, and where that loses something, whole in
 * `filename*` (RFC 8187), which all browsers prefer.
 */
export function contentDisposition(disposition: Disposition, name: string): string {
  const whole = name.toWellFormed().replace(UNSAFE, '_') || 'file';
  const fallback = whole.replace(UNQUOTABLE, '_');
  const simple = `${disposition}; filename="${fallback}"`;
  return fallback === whole ? simple : `${simple}; filename*=UTF-8''${extendedValue(whole)}`;
}

/** `value-chars` of RFC 8187, section 3.2.1: encodeURIComponent leaves four characters that it does not allow. */
function extendedValue(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

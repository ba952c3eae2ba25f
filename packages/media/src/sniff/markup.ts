export type Markup = 'text/html' | 'image/svg+xml' | 'application/xhtml+xml' | 'application/xml';

/** Tags that begin a page and hardly anything else. */
const PAGE =
  /^<(?:!doctype\s+html|html|head|body|script|iframe|title|style|meta|link|base|object|embed|frameset)[\s/>]/i;
/** The other tags that make browsers take a text for HTML (WHATWG MIME Sniffing, section 7.1); Markdown begins with them too. */
const FRAGMENT = /^<(?:h1|div|font|table|a|b|br|p|img|form|input|video|audio|math)[\s/>]/i;
const ROOT = /^<(?:[\w.-]+:)?([\w.-]+)/;

/**
 * Which markup a text is, by its first element after declarations and comments. Null for other text.
 * @param fragments whether a text that begins with a tag such as `<p>` counts as HTML
 */
export function markupOf(text: string, fragments: boolean): Markup | null {
  const { rest, declared } = skipProlog(text);
  const root = ROOT.exec(rest)?.[1]?.toLowerCase();
  if (root === 'svg' || declared.doctype === 'svg') return 'image/svg+xml';
  if (declared.xml) return root === 'html' ? 'application/xhtml+xml' : 'application/xml';
  if (declared.doctype === 'html' || PAGE.test(rest)) return 'text/html';
  if (declared.doctype) return 'application/xml';
  return fragments && (FRAGMENT.test(rest) || declared.comment) ? 'text/html' : null;
}

interface Prolog {
  /** Begins with `<?xml`. */
  xml: boolean;
  /** Name in `<!DOCTYPE …>`, in lower case. */
  doctype: string | null;
  comment: boolean;
}

/** Steps over the byte order mark, white space, comments, processing instructions and a document type. */
function skipProlog(text: string): { rest: string; declared: Prolog } {
  const declared: Prolog = { xml: false, doctype: null, comment: false };
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  for (;;) {
    while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
    let end: number;
    if (text.startsWith('<!--', at)) {
      declared.comment = true;
      end = after(text, '-->', at + 4);
    } else if (text.startsWith('<?', at)) {
      if (/^<\?xml\s/i.test(text.slice(at, at + 6))) declared.xml = true;
      end = after(text, '>', at + 2);
    } else if (/^<!doctype/i.test(text.slice(at, at + 9))) {
      declared.doctype = /^<!doctype\s+([\w:.-]+)/i.exec(text.slice(at, at + 100))?.[1]?.toLowerCase() ?? 'html';
      end = afterDoctype(text, at);
    } else break;
    at = end;
  }
  return { rest: text.slice(at, at + 200), declared };
}

/** Position behind the next `mark`, or the end of the text. */
function after(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + mark.length;
}

/** A document type may hold declarations in brackets, with ">" inside. */
function afterDoctype(text: string, from: number): number {
  const close = after(text, '>', from);
  const bracket = text.indexOf('[', from);
  return bracket >= 0 && bracket < close ? after(text, '>', after(text, ']', bracket)) : close;
}

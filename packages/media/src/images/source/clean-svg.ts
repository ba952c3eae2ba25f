/** Why a drawing is not taken. */
export class UncleanDrawing extends Error {}

const MAX_DEPTH = 200;
const MAX_ELEMENTS = 20_000;
/** `use` of `use` grows exponentially: what is drawn a million times is no picture. */
const MAX_REFERENCES = 1000;
/** What runs, holds pages, or takes the drawing elsewhere. */
const REMOVED = new Set([
  'script',
  'foreignobject',
  'iframe',
  'object',
  'embed',
  'audio',
  'video',
  'handler',
  'listener',
]);
/** Pictures inside of the drawing; not drawings inside of it, which nest. */
const EMBEDDED = /^data:image\/(png|jpe?g|gif|webp);base64,/i;

const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<![^>[]*(\[[\s\S]*?\]\s*)?>|<(\/?)([A-Za-z_][\w:.-]*)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>/g;
const REFERENCE = /\s((?:[\w-]+:)?(?:href|src))\s*=\s*("[^"]*"|'[^']*')/gi;
const HANDLER = /\son[\w:-]*\s*=\s*("[^"]*"|'[^']*')/gi;
const OUTSIDE = /url\(\s*(['"]?)\s*(?!#|['"])[^)]*\)/gi;

/**
 * Takes out of a drawing whatever runs or refers to something outside of it, and refuses what is made to explode. What remains is
 * drawn to pixels in a process of its own, from memory, so that no file lies beside it.
 * @throws UncleanDrawing
 */
export function cleanSvg(text: string): string {
  let depth = 0;
  let elements = 0;
  let references = 0;
  /** Depth of the outermost element that is being removed. */
  let removing: number | null = null;
  let from = 0;
  const kept: string[] = [];
  let isStyle = false;
  const keep = (part: string): void => {
    if (removing === null) kept.push(part);
  };
  for (const match of text.matchAll(TOKEN)) {
    const [token, subset, closing, name = '', attributes = '', own] = match;
    const between = text.slice(from, match.index);
    keep(isStyle ? cleanStyle(between) : between);
    from = match.index + token.length;
    if (subset !== undefined || /^<!ENTITY/i.test(token)) throw new UncleanDrawing('it declares entities');
    if (token.startsWith('<!') || token.startsWith('<?')) {
      if (token.startsWith('<![CDATA[')) keep(cleanStyle(token));
      continue;
    }
    const plain = (name.split(':').at(-1) as string).toLowerCase();
    isStyle = !closing && !own && plain === 'style';
    if (closing) {
      depth -= 1;
      // The end of what is removed is removed with it.
      if (removing !== null && depth <= removing) removing = null;
      else keep(token);
      continue;
    }
    elements += 1;
    if (plain === 'use') references += 1;
    if (elements > MAX_ELEMENTS) throw new UncleanDrawing(`it has more than ${MAX_ELEMENTS} elements`);
    if (references > MAX_REFERENCES)
      throw new UncleanDrawing(`it refers to its parts more than ${MAX_REFERENCES} times`);
    if (depth >= MAX_DEPTH) throw new UncleanDrawing(`it is nested deeper than ${MAX_DEPTH} levels`);
    if (removing === null && REMOVED.has(plain)) {
      if (!own) removing = depth;
    } else keep(`<${name}${cleanAttributes(attributes)}${own}>`);
    if (!own) depth += 1;
  }
  keep(text.slice(from));
  return kept.join('');
}

/** A closing bracket may follow `@import` where nothing else does. */
function cleanStyle(text: string): string {
  return text.replace(/@import[^;\]]*;?/gi, '').replace(OUTSIDE, 'none');
}

function cleanAttributes(attributes: string): string {
  return attributes
    .replace(REFERENCE, (whole, _name, quoted: string) => {
      const value = quoted.slice(1, -1).trim();
      return value.startsWith('#') || EMBEDDED.test(value) ? whole : '';
    })
    .replace(HANDLER, '')
    .replace(OUTSIDE, 'none');
}

import { formatInside } from './containers.ts';
import { markupOf } from './markup.ts';
import {
  essenceOf,
  extensionOf,
  isTextType,
  isXmlType,
  OCTET_STREAM,
  PLAIN_TEXT,
  textTypeOfExtension,
} from './media-type.ts';
import { signatureLibrary } from './signature-library.ts';
import { commonSignature } from './signatures.ts';
import { decodeLegacyText, decodeText } from './text.ts';

/** How many of a file's first bytes {@link sniffContentType} looks at. */
export const SNIFF_BYTES = 4100;

/** What was said of a file beside its bytes. */
interface Hints {
  declared: string | null;
  extension: string;
}

/**
 * Decides a file's content type. The bytes decide: a signature beats whatever was declared, markup that can run script is
 * found under any name, and a type whose signature should be there but is not is not believed. What bytes cannot tell
 * (which kind of text, which format inside of a ZIP) the declared type says, or the name's ending.
 * @param head the first bytes, {@link SNIFF_BYTES} or the whole file
 * @param declared the Content-Type that the client sent
 * @param name the file's name
 * @returns a type without parameters; never throws
 */
export async function sniffContentType(head: Uint8Array, declared: string | null, name?: string): Promise<string> {
  const bytes = head.subarray(0, SNIFF_BYTES);
  const hints: Hints = { declared: essenceOf(declared), extension: extensionOf(name) };
  const common = commonSignature(bytes);
  if (common !== null) return formatInside(common, hints.declared, hints.extension);
  const text = decodeText(bytes);
  if (text !== null) return text === '' ? typeOfNothing(hints) : typeOfText(text, hints);
  return await typeOfBinary(bytes, hints);
}

/** An empty file can be an empty text, but no picture. */
function typeOfNothing(hints: Hints): string {
  return textHint(hints) ?? OCTET_STREAM;
}

function typeOfText(text: string, hints: Hints): string {
  const hint = textHint(hints);
  // Markdown, Vue and the like begin with tags and are not pages; what claims to be plain text or a picture is.
  const specific = hint !== null && hint !== PLAIN_TEXT;
  const markup = markupOf(text, !specific);
  if (markup === 'application/xml') return hint !== null && isXmlType(hint) ? hint : markup;
  if (markup !== null) return markup;
  if (claims('application/pdf', hints) && text.slice(0, 1024).includes('%PDF-')) return 'application/pdf';
  if (hint === null || (isXmlType(hint) && !text.trimStart().startsWith('<'))) return PLAIN_TEXT;
  return hint;
}

async function typeOfBinary(bytes: Uint8Array, hints: Hints): Promise<string> {
  const { newParser, types } = await signatureLibrary();
  const found = essenceOf(
    (
      await newParser()
        .fromBuffer(bytes)
        .catch(() => undefined)
    )?.mime,
  );
  if (found !== null && !isTextType(found)) return formatInside(found, hints.declared, hints.extension);
  const legacy = decodeLegacyText(bytes);
  const hint = textHint(hints);
  if (legacy !== null && hint !== null) return typeOfText(legacy, hints);
  const { declared } = hints;
  if (claims('application/pdf', hints) && Buffer.from(bytes.subarray(0, 1024)).includes('%PDF-'))
    return 'application/pdf';
  if (declared === null || isTextType(declared) || types.has(declared)) return OCTET_STREAM;
  // Pictures, sound, video and fonts all have signatures; multipart types make browsers look for pages inside.
  return /^(application|model|chemical)\//.test(declared) ? declared : OCTET_STREAM;
}

/** The kind of text that was declared, or that the name's ending means where nothing was. */
function textHint({ declared, extension }: Hints): string | null {
  if (declared !== null && isTextType(declared)) return declared;
  return declared === null || declared === OCTET_STREAM ? textTypeOfExtension(extension) : null;
}

function claims(type: string, { declared, extension }: Hints): boolean {
  return declared === type || (declared === null && type.endsWith(`/${extension}`));
}

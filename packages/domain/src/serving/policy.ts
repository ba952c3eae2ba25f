import type { Disposition } from './content-disposition.ts';

/** Seconds of a year: as long as caches are asked to keep what never changes. */
const YEAR = 31_536_000;

/**
 * For types that can run script: nothing loads, nothing runs, and the document gets an origin of its own, so that it could not
 * reach ours. Inline styles and embedded pictures are let in, because drawings are made of them.
 */
export const SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox";

const SCRIPT_TYPES = new Set([
  'text/javascript',
  'application/javascript',
  'application/ecmascript',
  'application/wasm',
]);
const SHOWN_APPLICATIONS = new Set(['application/json', 'application/pdf', 'application/wasm']);
const SHOWN_TEXTS = new Set(['text/plain', 'text/css', 'text/csv', 'text/javascript', 'text/markdown', 'text/vtt']);
/** Destinations of the Fetch standard that run what they load. */
const SCRIPT_DESTINATIONS = new Set([
  'script',
  'worker',
  'sharedworker',
  'serviceworker',
  'audioworklet',
  'paintworklet',
]);

/** How a type may be shown in a browser. */
export interface Presentation {
  readonly disposition: Disposition;
  /** A Content-Security-Policy, where the type needs one. */
  readonly contentSecurityPolicy: string | null;
}

/**
 * What browsers show by themselves without running anything is shown; a drawing is shown in a sandbox, because pages refer to
 * it as a picture; everything else is saved, pages and unknown types above all.
 */
export function presentationOf(contentType: string): Presentation {
  if (contentType === 'image/svg+xml') return { disposition: 'inline', contentSecurityPolicy: SANDBOX };
  if (isDocumentWithScript(contentType)) return { disposition: 'attachment', contentSecurityPolicy: SANDBOX };
  const shown =
    /^(image|audio|video|font)\/(?!.*xml)/.test(contentType) ||
    SHOWN_TEXTS.has(contentType) ||
    SHOWN_APPLICATIONS.has(contentType);
  return { disposition: shown ? 'inline' : 'attachment', contentSecurityPolicy: null };
}

/** HTML, and every XML: an element in the name space of XHTML or SVG runs script wherever it stands. */
function isDocumentWithScript(contentType: string): boolean {
  return (
    contentType.includes('html') ||
    contentType.endsWith('xml') ||
    contentType.startsWith('multipart/') ||
    contentType === 'text/xsl'
  );
}

/**
 * Whether a page of our own origin asks for a file in order to run it: a script that somebody uploaded must not become part of
 * the dashboard, nor its service worker, even where a page could be brought to refer to it. Other sites may run their files.
 * @param fetched `Sec-Fetch-Site` and `Sec-Fetch-Dest` of the Fetch Metadata standard, which scripts cannot forge
 */
export function wouldRunOnOurOrigin(
  contentType: string,
  fetched: { site: string | undefined; destination: string | undefined },
): boolean {
  if (fetched.destination === undefined || fetched.site !== 'same-origin') return false;
  return SCRIPT_DESTINATIONS.has(fetched.destination) && isScript(contentType);
}

/** Types of texts that name other files relative to their own address: from any other one they would lead nowhere. */
const REFERRING = new Set(['application/vnd.apple.mpegurl', 'text/vtt']);

/** Whether a file refers to its neighbours, as playlists do. */
export function refersToNeighbours(contentType: string): boolean {
  return REFERRING.has(contentType);
}

export function isScript(contentType: string): boolean {
  return SCRIPT_TYPES.has(contentType);
}

/**
 * The Content-Type to send. Text without a declared encoding is said to be UTF-8: otherwise browsers guess, by content that
 * anyone may have made.
 */
export function contentTypeHeader(contentType: string, declared: string | null): string {
  if (!contentType.startsWith('text/')) return contentType;
  return `${contentType}; charset=${declaredCharset(contentType, declared) ?? 'utf-8'}`;
}

/** ISO 2022 and its like can hide markup from whoever looks at the bytes: only these are passed on. */
const CHARSET =
  /;\s*charset\s*=\s*"?(utf-16(?:le|be)?|iso-8859-\d{1,2}|windows-125\d|us-ascii|shift_jis|euc-jp|euc-kr|gbk|big5|koi8-[ru])"?\s*(?:;|$)/i;

function declaredCharset(contentType: string, declared: string | null): string | null {
  if (declared === null || presentationOf(contentType).contentSecurityPolicy !== null) return null;
  return CHARSET.exec(declared)?.[1]?.toLowerCase() ?? null;
}

/** What decides how long an answer may be kept, and by whom. */
export interface CacheTerms {
  readonly visibility: 'public' | 'private';
  /** Whether the address names one version, which never changes. */
  readonly versioned: boolean;
  /** Seconds until a signed address ends; null where none was needed. */
  readonly expiresIn: number | null;
}

/** Cache-Control: a file can be replaced, so its bare address is asked for again each time; a version is kept. */
export function cacheControl({ visibility, versioned, expiresIn }: CacheTerms): string {
  if (!versioned) return `${visibility}, max-age=0, must-revalidate`;
  return `${visibility}, max-age=${Math.min(YEAR, expiresIn ?? YEAR)}, immutable`;
}

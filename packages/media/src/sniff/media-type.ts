export const OCTET_STREAM = 'application/octet-stream';
export const PLAIN_TEXT = 'text/plain';

/** `type/subtype` of RFC 6838, section 4.2, in lower case; longer names than it allows are nobody's. */
const ESSENCE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/** Names that mean the same, by the name that browsers know. */
const ALIASES: Readonly<Record<string, string>> = {
  'application/ecmascript': 'text/javascript',
  'application/javascript': 'text/javascript',
  'application/x-javascript': 'text/javascript',
  'application/x-pdf': 'application/pdf',
  'application/x-zip-compressed': 'application/zip',
  'audio/mp3': 'audio/mpeg',
  'audio/x-m4a': 'audio/mp4',
  'audio/x-wav': 'audio/wav',
  'image/jpg': 'image/jpeg',
  'text/ecmascript': 'text/javascript',
  'text/json': 'application/json',
  'text/x-markdown': 'text/markdown',
  'video/matroska': 'video/x-matroska',
  'video/vnd.avi': 'video/x-msvideo',
};

/** The type of a Content-Type without its parameters, under its usual name; null when it has not the form of one. */
export function essenceOf(contentType: string | null | undefined): string | null {
  if (!contentType) return null;
  const semicolon = contentType.indexOf(';');
  const essence = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (!ESSENCE.test(essence)) return null;
  return ALIASES[essence] ?? essence;
}

/** The letters after the last dot of a file's name, in lower case; empty when there are none. */
export function extensionOf(name: string | undefined): string {
  return /\.([A-Za-z0-9]{1,12})$/.exec(name ?? '')?.[1]?.toLowerCase() ?? '';
}

/** Whether a type is written in XML, by its name (RFC 7303). */
export function isXmlType(essence: string): boolean {
  return essence.endsWith('+xml') || essence.endsWith('/xml');
}

const TEXT_APPLICATIONS = new Set([
  'application/dash+xml',
  'application/graphql',
  'application/json',
  'application/json5',
  'application/jsonl',
  'application/sql',
  'application/toml',
  'application/typescript',
  'application/vnd.apple.mpegurl',
  'application/x-httpd-php',
  'application/x-mpegurl',
  'application/x-ndjson',
  'application/x-sh',
  'application/x-subrip',
  'application/x-tex',
  'application/yaml',
]);

/** Whether the content of a type can only be text, by its name. */
export function isTextType(essence: string): boolean {
  return (
    essence.startsWith('text/') || essence.endsWith('+json') || isXmlType(essence) || TEXT_APPLICATIONS.has(essence)
  );
}

/** Text has no signature, so that a name's ending is the best that there is where nobody declared a type. */
const TEXT_EXTENSIONS: Readonly<Record<string, string>> = {
  atom: 'application/atom+xml',
  cjs: 'text/javascript',
  css: 'text/css',
  csv: 'text/csv',
  geojson: 'application/geo+json',
  htm: 'text/html',
  html: 'text/html',
  ics: 'text/calendar',
  js: 'text/javascript',
  json: 'application/json',
  jsonl: 'application/jsonl',
  m3u8: 'application/vnd.apple.mpegurl',
  markdown: 'text/markdown',
  md: 'text/markdown',
  mjs: 'text/javascript',
  mpd: 'application/dash+xml',
  ndjson: 'application/x-ndjson',
  rss: 'application/rss+xml',
  sql: 'application/sql',
  srt: 'application/x-subrip',
  svg: 'image/svg+xml',
  toml: 'application/toml',
  tsv: 'text/tab-separated-values',
  vcf: 'text/vcard',
  vtt: 'text/vtt',
  webmanifest: 'application/manifest+json',
  xhtml: 'application/xhtml+xml',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
};

export function textTypeOfExtension(extension: string): string | null {
  return Object.hasOwn(TEXT_EXTENSIONS, extension) ? (TEXT_EXTENSIONS[extension] ?? null) : null;
}

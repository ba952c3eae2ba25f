/**
 * Formats that share the signature of their container: what the bytes prove is the container, and the declared type or the
 * name's ending may say which of its formats it is. None of these can run script in a browser.
 */
interface Container {
  readonly types: ReadonlySet<string>;
  readonly extensions: Readonly<Record<string, string>>;
}

const container = (extensions: Record<string, string>, ...more: string[]): Container => ({
  extensions,
  types: new Set([...Object.values(extensions), ...more]),
});

const OOXML = 'application/vnd.openxmlformats-officedocument';
const ODF = 'application/vnd.oasis.opendocument';

const OGG = container({ oga: 'audio/ogg', ogg: 'audio/ogg', opus: 'audio/ogg', ogv: 'video/ogg' });

const CONTAINERS: Readonly<Record<string, Container>> = {
  'application/zip': container(
    {
      docx: `${OOXML}.wordprocessingml.document`,
      xlsx: `${OOXML}.spreadsheetml.sheet`,
      pptx: `${OOXML}.presentationml.presentation`,
      odt: `${ODF}.text`,
      ods: `${ODF}.spreadsheet`,
      odp: `${ODF}.presentation`,
      epub: 'application/epub+zip',
      jar: 'application/java-archive',
      apk: 'application/vnd.android.package-archive',
      kmz: 'application/vnd.google-earth.kmz',
      usdz: 'model/vnd.usdz+zip',
      '3mf': 'model/3mf',
      cbz: 'application/vnd.comicbook+zip',
    },
    `${ODF}.graphics`,
  ),
  'application/x-cfb': container({
    doc: 'application/msword',
    xls: 'application/vnd.ms-excel',
    ppt: 'application/vnd.ms-powerpoint',
    msg: 'application/vnd.ms-outlook',
    msi: 'application/x-msi',
    vsd: 'application/vnd.visio',
  }),
  'application/gzip': container({ tgz: 'application/x-gtar' }, 'application/x-tgz', 'application/x-compressed-tar'),
  'application/ogg': OGG,
  'audio/ogg': OGG,
  'video/ogg': OGG,
  'video/mp4': container({ m4a: 'audio/mp4', m4v: 'video/x-m4v', mov: 'video/quicktime' }),
  'video/webm': container({ weba: 'audio/webm' }),
  'video/x-matroska': container({ mka: 'audio/x-matroska' }),
  'image/tiff': container({
    dng: 'image/x-adobe-dng',
    cr2: 'image/x-canon-cr2',
    nef: 'image/x-nikon-nef',
    arw: 'image/x-sony-arw',
  }),
};

/** The format inside of what the bytes say, where the declared type or the name's ending is one that such a container can hold. */
export function formatInside(found: string, declared: string | null, extension: string): string {
  const inside = Object.hasOwn(CONTAINERS, found) ? CONTAINERS[found] : undefined;
  if (!inside) return found;
  if (declared !== null && inside.types.has(declared)) return declared;
  if (declared === found) return found;
  return Object.hasOwn(inside.extensions, extension) ? (inside.extensions[extension] ?? found) : found;
}

import {
  contentDisposition,
  contentTypeHeader,
  formatHttpDate,
  isScript,
  type Presentation,
  presentationOf,
  type ServedFile,
  type Validators,
} from '@carcosa/domain';

/** What is the same in all answers for one content of a file. */
export interface FileHead {
  readonly validators: Validators;
  /** Content-Type with its parameters. */
  readonly contentType: string;
  readonly presentation: Presentation;
  /** Whether browsers run the type, and Sec-Fetch-* decide. */
  readonly isScript: boolean;
  /** Content-Disposition where the address does not ask for a download. */
  readonly disposition: string;
  /** Names and values in turn, for 304 too. */
  readonly validation: readonly string[];
  /** Names and values in turn, for answers with a body; `validation` is in it. */
  readonly description: readonly string[];
}

const heads = new WeakMap<ServedFile, FileHead>();

/** Made once for as long as the file is remembered. */
export function headOf(file: ServedFile): FileHead {
  let head = heads.get(file);
  if (!head) {
    head = makeHead(file);
    heads.set(file, head);
  }
  return head;
}

function makeHead(file: ServedFile): FileHead {
  const presentation = presentationOf(file.contentType);
  const lastModified = file.lastModified.getTime();
  // The object's id: its bytes never change, and no other object has the same.
  const validators = { etag: `"${file.objectId}"`, lastModified };
  const policy = presentation.contentSecurityPolicy;
  const validation = ['ETag', validators.etag, 'Last-Modified', formatHttpDate(lastModified)];
  return {
    validators,
    contentType: contentTypeHeader(file.contentType, file.declaredContentType),
    presentation,
    disposition: contentDisposition(presentation.disposition, file.name),
    isScript: isScript(file.contentType),
    validation,
    description: [
      ...validation,
      'Accept-Ranges',
      'bytes',
      'X-Content-Type-Options',
      'nosniff',
      // Files are made to be shown on other sites; who may see a private one is decided by its signature.
      'Cross-Origin-Resource-Policy',
      'cross-origin',
      ...(policy === null ? [] : ['Content-Security-Policy', policy]),
      ...(isScript(file.contentType) ? ['Vary', 'Sec-Fetch-Dest, Sec-Fetch-Site'] : []),
    ],
  };
}

/** Content-Disposition under `?download` or `?download=name`: the file is saved, under that name or its own. */
export function downloadDisposition(file: ServedFile, download: string): string {
  return contentDisposition('attachment', /^(1|true|)$/i.test(download) ? file.name : download);
}

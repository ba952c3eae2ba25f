import type { FileTypeParser } from 'file-type';

interface Library {
  /** One for each content: it keeps what it reads. */
  newParser(): FileTypeParser;
  /** All types that the library can find. */
  types: ReadonlySet<string>;
}

/** What the library calls for each of its signatures; its types do not tell. */
interface Checks {
  buffer: Uint8Array;
  check(bytes: ArrayLike<number>, options?: CheckOptions): boolean;
}

interface CheckOptions {
  offset?: number;
  mask?: ArrayLike<number>;
  encoding?: string;
}

let loading: Promise<Library> | undefined;

/** Takes some 100 ms to load, so only when a file needs it; and even to find what is loaded takes long if every file asks. */
export function signatureLibrary(): Promise<Library> {
  loading ??= load();
  return loading;
}

/**
 * The library with its two smallest steps made to allocate nothing. Bytes that no signature fits are compared with some 200 of them, and
 * for each that is a text it makes an array every time: that was two fifths of all memory that storing a small file took.
 */
async function load(): Promise<Library> {
  const { FileTypeParser, supportedMimeTypes } = await import('file-type');
  const texts = new Map<string, readonly number[]>();
  const bytesOf = (text: string): readonly number[] => {
    const known = texts.get(text);
    if (known) return known;
    const bytes = [...text].map((sign) => sign.charCodeAt(0));
    texts.set(text, bytes);
    return bytes;
  };
  const original = (
    FileTypeParser.prototype as unknown as { checkString: (text: string, options?: CheckOptions) => boolean }
  ).checkString;

  class Parser extends FileTypeParser {
    checkString(this: Parser & Checks, text: string, options?: CheckOptions): boolean {
      return options?.encoding === undefined ? this.check(bytesOf(text), options) : original.call(this, text, options);
    }

    check(this: Parser & Checks, bytes: ArrayLike<number>, options?: CheckOptions): boolean {
      const offset = options?.offset ?? 0;
      const mask = options?.mask;
      for (let i = 0; i < bytes.length; i++) {
        const found = this.buffer[i + offset];
        if (bytes[i] !== (mask ? (mask[i] as number) & (found ?? 0) : found)) return false;
      }
      return true;
    }
  }
  return { newParser: () => new Parser(), types: supportedMimeTypes };
}

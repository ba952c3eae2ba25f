import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { CarcosaError } from '@carcosa/kernel';
import { Busboy, type BusboyInstance } from '@fastify/busboy';

const LIMITS = {
  fieldNameSize: 100,
  fieldSize: 64 * 1024,
  fields: 20,
  files: 1,
  parts: 21,
  headerPairs: 50,
  headerSize: 16 * 1024,
};

export interface MultipartFile {
  stream: Readable;
  fileName: string | undefined;
  contentType: string | undefined;
  /** Fields that came before the file. */
  fields: Record<string, string>;
  /** Resolves at the end of the form with the fields that came after the file. */
  laterFields: Promise<Record<string, string>>;
}

/**
 * Reads a multipart/form-data body (RFC 7578) up to its part `file`, whose bytes are then streamed.
 * @throws CarcosaError `invalid_request` for a form that cannot be read, or has no file
 */
export function readMultipart(request: IncomingMessage): Promise<MultipartFile> {
  return new Promise((resolve, reject) => {
    const early: Record<string, string> = Object.create(null);
    const later: Record<string, string> = Object.create(null);
    let file: Readable | null = null;
    const ended = Promise.withResolvers<Record<string, string>>();
    // Who waits for the file hears of a failure through its stream.
    ended.promise.catch(() => {});

    const fail = (message: string) => {
      const error = new CarcosaError('invalid_request', { message });
      request.unpipe(parser);
      reject(error);
      ended.reject(error);
      file?.destroy(error);
    };
    let parser: BusboyInstance;
    try {
      parser = new Busboy({
        headers: request.headers as { 'content-type': string },
        limits: LIMITS,
        defCharset: 'utf8',
      });
    } catch {
      fail('The multipart form cannot be read: its Content-Type has no valid boundary.');
      return;
    }
    parser.on('field', (name, value, _nameTruncated, valueTruncated) => {
      if (valueTruncated) return fail(`The form field "${name}" is longer than ${LIMITS.fieldSize} bytes.`);
      (file ? later : early)[name] = value;
    });
    parser.on('file', (name, stream, fileName, _encoding, contentType) => {
      // A form that ends within the part fails it before anybody reads it.
      stream.on('error', () => fail('The multipart form is broken or ends early.'));
      if (name !== 'file') {
        stream.resume();
        return fail(`The form has a file in the field "${name}"; send it as "file".`);
      }
      file = stream;
      resolve({
        stream,
        fileName: fileName || undefined,
        contentType: contentType || undefined,
        fields: { ...early },
        laterFields: ended.promise,
      });
    });
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
      parser.on(limit, () => fail('The form has more than one file or too many fields.'));
    }
    parser.on('error', () => fail('The multipart form is broken or ends early.'));
    parser.on('finish', () => {
      if (!file) fail('The form has no part "file".');
      else ended.resolve({ ...later });
    });
    request.on('close', () => {
      if (!request.complete) fail('The multipart form ends early.');
    });
    request.pipe(parser);
  });
}

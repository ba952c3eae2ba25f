import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { File, FilePath, Metadata, success, Visibility } from '@carcosa/contracts';
import { type Actor, type CreateUpload, idempotencyScope, type UploadRevision } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import { z } from 'zod';
import type { Carcosa } from '../../compose.ts';
import { success as answer } from '../envelope.ts';
import { sendAnswer, type UploadAnswer, uploadOnce } from '../idempotent-upload.ts';
import { readMultipart } from '../multipart.ts';
import { idempotencyKeyOf } from '../plugins/idempotency.ts';
import type { Routes } from '../types.ts';
import { contentLength, uploadScope } from '../upload-scope.ts';

const MetadataText = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'it is not JSON' });
      return z.NEVER;
    }
  })
  .pipe(Metadata);

/** What may come in the query or as fields of the form; the form wins. */
const UploadParameters = z.object({
  projectId: z.string().optional(),
  tenantId: z.string().optional(),
  path: FilePath.optional(),
  fileName: z.string().min(1).max(1024).optional(),
  visibility: Visibility.optional(),
  metadata: MetadataText.optional(),
});
type UploadParameters = z.infer<typeof UploadParameters>;

/** A request to store one file, as far as it can be known before the body is read. */
interface SimpleUpload {
  parameters: UploadParameters;
  contentType: string | undefined;
  checksum: string | undefined;
  body: Readable;
  /** Bytes of the content where they were declared; a form declares only its own length. */
  length: number | null;
  /** Parameters that come after the file in a form. */
  later: (() => Promise<UploadParameters>) | undefined;
}

/** `POST /api/v1/files`: the whole file in one request, as multipart/form-data or as the body itself. */
export const simpleUploadRoutes: Routes = (app, carcosa) => {
  uploadScope(app, (scope) => {
    scope.post(
      '/api/v1/files',
      {
        config: { permission: 'files:write', work: 'upload' },
        schema: {
          tags: ['files'],
          summary: 'Upload a file in one request',
          description:
            'Send multipart/form-data with `file` and optional `path`, `visibility`, `metadata` (JSON), or the bytes as the body with ' +
            'the same as query parameters. A file without a path gets a folder of its own. `Content-Digest: sha-256=:…:` is verified.',
          consumes: ['multipart/form-data', 'application/octet-stream'],
          response: { 201: success(File) },
        },
      },
      async (request, reply) => {
        const { actor } = request;
        const store = async () => storeUpload(carcosa, actor, await readUpload(request.raw, request.query));
        const identify = async () => identifyUpload(await readUpload(request.raw, request.query));
        const key = idempotencyKeyOf(request);
        if (key === undefined) return sendAnswer(reply, await store());
        return uploadOnce(carcosa.idempotency, reply, {
          scope: idempotencyScope(actor),
          key,
          store,
          identify,
        });
      },
    );
  });
};

async function readUpload(request: IncomingMessage, query: unknown): Promise<SimpleUpload> {
  const inQuery = query as Record<string, unknown>;
  const contentType = request.headers['content-type'];
  const checksum = declaredChecksum(request);
  if (!contentType?.toLowerCase().startsWith('multipart/form-data')) {
    return {
      parameters: UploadParameters.parse(inQuery),
      // What curl says of any body by itself is no declaration.
      contentType: contentType === 'application/x-www-form-urlencoded' ? undefined : contentType,
      checksum,
      body: request,
      length: contentLength(request.headers),
      later: undefined,
    };
  }
  const form = await readMultipart(request);
  const fileName = form.fileName === undefined ? {} : { fileName: form.fileName };
  return {
    parameters: UploadParameters.parse({ ...inQuery, ...fileName, ...form.fields }),
    contentType: form.contentType,
    checksum,
    body: form.stream,
    length: null,
    later: async () => UploadParameters.parse(await form.laterFields),
  };
}

async function storeUpload(carcosa: Carcosa, actor: Actor, simple: SimpleUpload): Promise<UploadAnswer> {
  const { parameters, contentType, checksum, body, length, later } = simple;
  const input: CreateUpload = { ...parameters, door: 'simple', size: length, contentType, checksum };
  let lateParameters: UploadParameters = {};
  const revise = async (): Promise<UploadRevision> => {
    lateParameters = (await later?.()) ?? {};
    for (const name of ['projectId', 'tenantId'] as const) {
      if (lateParameters[name] !== undefined && lateParameters[name] !== parameters[name])
        throw new CarcosaError('invalid_request', {
          message: `Send the field ${name} before the file, or in the query.`,
        });
    }
    return lateParameters;
  };
  const { file } = await carcosa.uploads.createAndWrite(actor, input, { body, length, ...(later ? { revise } : {}) });
  if (!file) throw new CarcosaError('length_mismatch');
  return {
    status: 201,
    headers: { location: `/api/v1/files/${file.id}`, 'carcosa-file-id': file.id, 'carcosa-file-key': file.key },
    body: JSON.stringify(answer(carcosa.clock, file)),
    request: { parameters: { ...parameters, ...lateParameters }, sha256: file.sha256 ?? '' },
  };
}

async function identifyUpload({ parameters, body, later }: SimpleUpload): Promise<UploadAnswer['request']> {
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk as Uint8Array);
  return { parameters: { ...parameters, ...((await later?.()) ?? {}) }, sha256: hash.digest('hex') };
}

/** `Content-Digest: sha-256=:<base64>:` (RFC 9530), or `x-checksum-sha256: <hex>`. */
function declaredChecksum(request: IncomingMessage): string | undefined {
  const digest = request.headers['content-digest'];
  const hex = request.headers['x-checksum-sha256'];
  if (typeof hex === 'string') {
    if (!/^[0-9a-f]{64}$/i.test(hex))
      throw new CarcosaError('invalid_request', { message: 'x-checksum-sha256 wants 64 hex digits.' });
    return `sha256:${hex.toLowerCase()}`;
  }
  if (typeof digest !== 'string') return undefined;
  const member = digest
    .split(',')
    .map((each) => each.trim())
    .find((each) => each.toLowerCase().startsWith('sha-256='));
  // RFC 9530: digests of algorithms that one does not know are ignored.
  if (member === undefined) return undefined;
  const base64 = /^sha-256=:([A-Za-z0-9+/]{43}=):$/i.exec(member)?.[1] ?? '';
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length !== 32)
    throw new CarcosaError('invalid_request', { message: 'Content-Digest: sha-256 wants 32 bytes in base64.' });
  return `sha256:${bytes.toString('hex')}`;
}

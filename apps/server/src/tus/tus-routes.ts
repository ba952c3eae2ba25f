import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { FilePath, Fingerprint, Visibility } from '@carcosa/contracts';
import { type Actor, type CreateUpload, idempotencyScope, type UploadRow, type WriteResult } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Carcosa } from '../compose.ts';
import { type UploadAnswer, uploadOnce } from '../http/idempotent-upload.ts';
import { idempotencyKeyOf } from '../http/plugins/idempotency.ts';
import type { App, Routes } from '../http/types.ts';
import { contentLength, uploadScope } from '../http/upload-scope.ts';
import {
  CHECKSUM_ALGORITHMS,
  type Concat,
  parseChecksum,
  parseConcat,
  parseCount,
  parseMetadata,
} from './tus-headers.ts';

const PATH = '/api/v1/tus';
const VERSION = '1.0.0';
const EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'termination',
  'checksum',
  'expiration',
  'concatenation',
];
const BODY_TYPE = 'application/offset+octet-stream';
const CREATION_HEADERS = ['upload-length', 'upload-defer-length', 'upload-metadata', 'upload-concat'];
// The checksum extension has a status of its own.
const config = { permission: 'files:write', errorStatus: { checksum_mismatch: 460 } } as const;
// One upload counts as one request, where it begins: its chunks and questions are not limited.
const ofUpload = { ...config, limit: false } as const;
const begins = { ...config, work: 'upload' } as const;
const goesOn = { ...ofUpload, work: 'upload', goesOn: true } as const;
const tags = ['tus'];
type UploadRequest = FastifyRequest<{ Params: { id: string } }>;

/** Resumable uploads by the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload): a thin door onto the engine. */
export const tusRoutes: Routes = (app, carcosa) => {
  uploadScope(app, (scope) => {
    scope.addHook('onRequest', (request, reply, done) => {
      reply.header('Tus-Resumable', VERSION);
      if (request.method === 'OPTIONS' || request.headers['tus-resumable'] === VERSION) return done();
      reply.header('Tus-Version', VERSION);
      done(new CarcosaError('unsupported_protocol_version'));
    });
    registerTus(scope, carcosa);
  });
};

function registerTus(scope: App, carcosa: Carcosa): void {
  for (const url of [PATH, `${PATH}/:id`]) {
    scope.options(
      url,
      { config: { public: true, limit: false }, schema: { tags, summary: 'What this server speaks' } },
      (_request, reply) => describe(reply),
    );
  }
  scope.post(PATH, { config: begins, schema: { tags, summary: 'Create an upload' } }, (request, reply) =>
    create(carcosa, request, reply),
  );
  const params = z.object({ id: z.string() });
  scope.head(
    `${PATH}/:id`,
    { config: ofUpload, schema: { tags, summary: 'Ask for the offset', params } },
    (request, reply) => status(carcosa, request, reply),
  );
  scope.patch(`${PATH}/:id`, { config: goesOn, schema: { tags, summary: 'Add bytes', params } }, (request, reply) =>
    write(carcosa, request, reply),
  );
  scope.delete(
    `${PATH}/:id`,
    { config: ofUpload, schema: { tags, summary: 'Terminate an upload', params } },
    (request, reply) => terminate(carcosa, request, reply),
  );
  // For environments that know only GET and POST.
  scope.post(
    `${PATH}/:id`,
    { config: goesOn, schema: { tags, summary: 'PATCH or DELETE by X-HTTP-Method-Override', params } },
    (request, reply) => {
      const method = request.headers['x-http-method-override'];
      if (method === 'PATCH') return write(carcosa, request, reply);
      if (method === 'DELETE') return terminate(carcosa, request, reply);
      throw new CarcosaError('method_not_allowed');
    },
  );
}

function describe(reply: FastifyReply): FastifyReply {
  return reply
    .code(204)
    .header('Tus-Version', VERSION)
    .header('Tus-Extension', EXTENSIONS.join(','))
    .header('Tus-Checksum-Algorithm', CHECKSUM_ALGORITHMS.join(','))
    .header('Tus-Max-Size', String(Number.MAX_SAFE_INTEGER))
    .send();
}

async function create(carcosa: Carcosa, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { actor, raw } = request;
  const key = idempotencyKeyOf(request);
  // A creation is known by what it declares; bytes that come along may be fewer the second time.
  const identity = { parameters: CREATION_HEADERS.map((name) => raw.headers[name] ?? null), sha256: '' };
  const store = async (): Promise<UploadAnswer> => {
    const result = await createUpload(carcosa, actor, request);
    return { status: 201, headers: creationHeaders(carcosa, result), body: '', request: identity };
  };
  if (key === undefined) {
    const { status, headers } = await store();
    return reply.code(status).headers(headers).send();
  }
  return uploadOnce(carcosa.idempotency, reply, {
    scope: idempotencyScope(actor),
    key,
    store,
    identify: async () => identity,
  });
}

async function createUpload({ uploads }: Carcosa, actor: Actor, { raw, query }: FastifyRequest): Promise<WriteResult> {
  const { headers } = raw;
  const concat = parseConcat(single(headers['upload-concat']));
  const { fingerprint, ...described } = describeUpload(single(headers['upload-metadata']));
  const input = {
    ...CreationQuery.parse(query),
    ...described,
    doorState: { ...doorState(headers['upload-metadata'], concat), ...(fingerprint ? { fingerprint } : {}) },
  };
  if (concat?.type === 'final') return uploads.concatenate(actor, { ...input, door: 'tus', size: null }, concat.ids);

  const size = declaredSize(headers);
  const withBody = headers['content-type'] === BODY_TYPE;
  const length = withBody ? contentLength(headers) : 0;
  if (withBody && size !== null && length !== null && length > size) throw new CarcosaError('payload_too_large');
  const checksum = parseChecksum(single(headers['upload-checksum']));
  // An empty upload is complete at once; so is one whose bytes all come along.
  if ((withBody && length !== 0) || size === 0) {
    const body = withBody && length !== 0 ? raw : Readable.from([]);
    return uploads.createAndWrite(
      actor,
      { ...input, door: 'tus', size },
      { body, length, ...(checksum ? { checksum } : {}) },
    );
  }
  const upload = await uploads.create(actor, { ...input, door: 'tus', size });
  return { upload, offset: 0, file: null };
}

async function status(
  { uploads, ...carcosa }: Carcosa,
  request: UploadRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const upload = await uploads.findSettled(request.actor, request.params.id);
  assertTus(upload);
  if (
    upload.status === 'aborted' ||
    upload.status === 'expired' ||
    (upload.status === 'open' && upload.expiresAt <= carcosa.clock.now())
  ) {
    throw new CarcosaError('upload_not_open');
  }
  const { concat, metadata } = upload.doorState;
  if (typeof metadata === 'string') reply.header('Upload-Metadata', metadata);
  if (typeof concat === 'string') reply.header('Upload-Concat', concat);
  if (upload.size === null) reply.header('Upload-Defer-Length', '1');
  else reply.header('Upload-Length', String(upload.size));
  if (upload.status === 'open') reply.header('Upload-Expires', httpDate(upload.expiresAt));
  else reply.headers(fileHeaders(await uploads.fileOf(upload)));
  return reply.code(200).header('Upload-Offset', String(upload.offset)).header('Cache-Control', 'no-store').send();
}

async function write({ uploads }: Carcosa, request: UploadRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { headers } = request.raw;
  if (headers['content-type'] !== BODY_TYPE) {
    throw new CarcosaError('unsupported_media_type', { message: `PATCH wants Content-Type: ${BODY_TYPE}.` });
  }
  const offset = parseCount(headers, 'upload-offset');
  if (offset === undefined) throw new CarcosaError('invalid_request', { message: 'PATCH wants Upload-Offset.' });
  const size = parseCount(headers, 'upload-length');
  const checksum = parseChecksum(single(headers['upload-checksum']));
  const result = await uploads.write(request.actor, request.params.id, {
    admits: assertWritable,
    body: request.raw,
    offset,
    length: contentLength(headers),
    ...(size === undefined ? {} : { size }),
    ...(checksum ? { checksum } : {}),
  });
  reply.headers(fileHeaders(result.file));
  if (result.upload.status === 'open') reply.header('Upload-Expires', httpDate(result.upload.expiresAt));
  return reply.code(204).header('Upload-Offset', String(result.offset)).send();
}

async function terminate({ uploads }: Carcosa, request: UploadRequest, reply: FastifyReply): Promise<FastifyReply> {
  const upload = await uploads.find(request.actor, request.params.id);
  assertTus(upload);
  await uploads.abort(request.actor, upload.id);
  return reply.code(204).send();
}

function creationHeaders(carcosa: Carcosa, { upload, offset, file }: WriteResult): Record<string, string> {
  // Without host and scheme, so that it holds under whatever name the client knows us.
  const prefix = new URL(carcosa.publicUrl).pathname.replace(/\/$/, '');
  return {
    Location: `${prefix}${PATH}/${upload.id}`,
    'Upload-Offset': String(offset),
    ...(upload.status === 'open' ? { 'Upload-Expires': httpDate(upload.expiresAt) } : {}),
    ...fileHeaders(file),
  };
}

function fileHeaders(file: WriteResult['file']): Record<string, string> {
  return file ? { 'Carcosa-File-Id': file.id, 'Carcosa-File-Key': file.key } : {};
}

/** @throws CarcosaError `invalid_request` unless just one of Upload-Length and Upload-Defer-Length is there */
function declaredSize(headers: IncomingMessage['headers']): number | null {
  const size = parseCount(headers, 'upload-length');
  const deferred = headers['upload-defer-length'];
  if (deferred !== undefined && deferred !== '1')
    throw new CarcosaError('invalid_request', { message: 'Upload-Defer-Length can only be 1.' });
  if ((size === undefined) === (deferred === undefined)) {
    throw new CarcosaError('invalid_request', { message: 'Send either Upload-Length or Upload-Defer-Length: 1.' });
  }
  return size ?? null;
}

/** Whose the upload will be, in the address that creates it. */
const CreationQuery = z.object({ projectId: z.string().optional(), tenantId: z.string().optional() });

const TusParameters = z.object({
  path: FilePath.optional(),
  visibility: Visibility.optional(),
  fingerprint: Fingerprint.optional(),
});

/** The keys of the metadata that mean something here; the others are kept as the file's metadata. */
function describeUpload(header: string | undefined): Pick<
  CreateUpload,
  'fileName' | 'contentType' | 'path' | 'visibility' | 'metadata'
> & {
  fingerprint?: string | undefined;
} {
  const { filename, name, filetype, type, path, visibility, fingerprint, ...rest } = parseMetadata(header);
  const parameters = TusParameters.parse({ path, visibility, fingerprint });
  return {
    ...parameters,
    fileName: filename ?? name,
    contentType: filetype ?? type,
    ...(Object.keys(rest).length > 0 ? { metadata: { ...rest } } : {}),
  };
}

function doorState(metadata: IncomingMessage['headers'][string], concat: Concat | undefined): Record<string, unknown> {
  return {
    ...(typeof metadata === 'string' ? { metadata } : {}),
    ...(concat
      ? { concat: concat.type === 'partial' ? 'partial' : `final;${concat.ids.map((id) => `${PATH}/${id}`).join(' ')}` }
      : {}),
  };
}

function assertWritable(upload: UploadRow): void {
  assertTus(upload);
  const { concat } = upload.doorState;
  if (typeof concat === 'string' && concat !== 'partial') {
    throw new CarcosaError('forbidden', { message: 'A final upload takes no bytes of its own.' });
  }
}

/** The other doors' uploads are not to be seen through this one. */
function assertTus(upload: UploadRow): void {
  if (upload.door !== 'tus') throw new CarcosaError('not_found');
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}

/** RFC 9110, section 5.6.7. */
function httpDate(milliseconds: number): string {
  return new Date(milliseconds).toUTCString();
}

import { SignedUrl, SignedUrlBody, success } from '@carcosa/contracts';
import { clientOf, type FileAddress, type Limited, type OpenedFile } from '@carcosa/domain';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Carcosa } from '../../compose.ts';
import { openAppSigned } from '../../uploadthing/signed-serving.ts';
import { success as answer } from '../envelope.ts';
import { countDownload } from '../plugins/rate-limit.ts';
import { needsSignedReferences, serveSignedReferences } from '../serving/referring-text.ts';
import { FileServer } from '../serving/serve-file.ts';
import type { Routes } from '../types.ts';

const Key = z.object({ key: z.string() });
const Id = z.object({ id: z.string() });
const Address = z.object({
  v: z.string().optional().describe('a version: it never changes, and may be kept for ever'),
  download: z.string().optional().describe('save instead of show; a value other than 1 is the name to save under'),
  expires: z.string().optional().describe('unix seconds, in a signed address'),
  signature: z.string().optional(),
});
/** Everything in it has a default, so that no body is right as well. */
const SignBody = SignedUrlBody.nullish().transform((body) => body ?? SignedUrlBody.parse({}));
const DownloadQuery = z.object({ version: z.coerce.number().int().min(1).optional() });

/** The doors out: files at their own addresses, by id for who has a key, and signed addresses of private ones. */
export const serveRoutes: Routes = (app, carcosa) => {
  const { serving, clock } = carcosa;
  const files = new FileServer({ ...carcosa, sendfile: { ...carcosa.config.sendfile, root: carcosa.config.dataDir } });

  app.route({
    method: ['GET', 'HEAD'],
    url: '/f/:key',
    // Limited once it is known of which project the file is.
    config: { public: true, limit: false },
    schema: {
      tags: ['files'],
      summary: 'Download a file by its address',
      description:
        'Public files are open to everyone; private ones need an address signed by POST /api/v1/files/{id}/signed-url.',
      params: Key,
      querystring: Address,
    },
    // Read by hand: a signature covers the text as it came, and this is the hottest route.
    validatorCompiler: () => (value: unknown) => ({ value }),
    handler: (request, reply) => serveAddress(carcosa, files, request, reply),
  });

  // As apps of UploadThing write it.
  app.route({
    method: ['GET', 'HEAD'],
    url: '/a/:appId/:key',
    config: { public: true, limit: false },
    schema: { hide: true, params: z.object({ appId: z.string(), key: z.string() }) },
    handler: (request, reply) => {
      const { appId, key } = request.params as { appId: string; key: string };
      return serveSigned(carcosa, files, { request, reply, key, projectId: appId });
    },
  });

  app.get(
    '/api/v1/files/:id/download',
    {
      config: { permission: 'files:read', limit: 'download' },
      schema: {
        tags: ['files'],
        summary: 'Download a file of your project by its id',
        params: Id,
        querystring: DownloadQuery,
      },
    },
    async (request, reply) => {
      const version = request.query.version ?? null;
      const open = () => serving.openAs(request.actor, request.params.id, version);
      await serveOpened(carcosa, await open(), {
        open,
        serve: (opened) =>
          files.serve({ request, reply, opened, versioned: false, download: '', shared: false, actor: request.actor }),
      });
    },
  );

  app.post(
    '/api/v1/files/:id/signed-url',
    {
      config: { permission: 'files:read' },
      schema: {
        tags: ['files'],
        summary: 'Make an address that opens a private file for a while',
        params: Id,
        body: SignBody,
        response: { 201: success(SignedUrl) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await serving.sign(request.actor, request.params.id, request.body));
    },
  );
};

function serveAddress(
  carcosa: Carcosa,
  files: FileServer,
  request: FastifyRequest,
  reply: FastifyReply,
): void | Promise<void> {
  const address = addressOf(request);
  if (address.signature?.startsWith('hmac-sha256=')) {
    return serveSigned(carcosa, files, { request, reply, key: address.key, projectId: null });
  }
  const { version, download } = address;
  const way: Way = {
    open: async () => carcosa.serving.open(address),
    serve: (opened) =>
      needsSignedReferences(opened)
        ? serveSignedReferences(carcosa, opened, reply)
        : files.serve({ request, reply, opened, versioned: version !== null, download, shared: true, actor: null }),
  };
  const serve = (opened: OpenedFile): void | Promise<void> => serveLimited(carcosa, opened, way, { request, reply });
  const found = carcosa.serving.open(address);
  return found instanceof Promise ? found.then(serve) : serve(found);
}

/** Serves a file at an address that the app may have signed by itself. */
async function serveSigned(
  carcosa: Carcosa,
  files: FileServer,
  {
    request,
    reply,
    ...address
  }: { request: FastifyRequest; reply: FastifyReply; key: string; projectId: string | null },
): Promise<void> {
  const open = () => openAppSigned(carcosa, request, address);
  const serve = (opened: OpenedFile) =>
    files.serve({ request, reply, opened, actor: null, versioned: false, download: null, shared: true });
  await serveLimited(carcosa, await open(), { open, serve }, { request, reply });
}

/** Serves a file if its project lets this client download once more. @throws CarcosaError `rate_limited` */
function serveLimited(
  carcosa: Carcosa,
  opened: OpenedFile,
  way: Way,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): void | Promise<void> {
  const { projectId, rateLimits } = opened.file;
  const limited = carcosa.limiter.takeDownload(projectId, rateLimits, () => clientOf(request.ip));
  if (limited === null) return serveOpened(carcosa, opened, way);
  const settle = (decided: Limited): void | Promise<void> => {
    countDownload(request, reply, decided);
    return serveOpened(carcosa, opened, way);
  };
  return limited instanceof Promise ? limited.then(settle) : settle(limited);
}

interface Way {
  /** Looks the file up once more. */
  open: () => Promise<OpenedFile>;
  serve: (opened: OpenedFile) => void | Promise<void>;
}

/**
 * Serves a file that was found. Where its bytes are gone, what was remembered of it may be out of date: it is looked up once
 * more before anything is said.
 */
function serveOpened({ serving, logger }: Carcosa, opened: OpenedFile, way: Way): void | Promise<void> {
  const retry = async (error: unknown): Promise<void> => {
    if (!isCarcosaError(error, 'not_found')) throw error;
    const { key, objectId, storageKey } = opened.file;
    serving.filesChanged([key]);
    const again = await way.open();
    if (again.file.objectId !== objectId) return await way.serve(again);
    logger.error({ objectId, storageKey }, 'the bytes of a file are missing');
    const message = 'The bucket has lost the bytes of this file.';
    throw new CarcosaError('storage_unavailable', { message, retryable: false, cause: error });
  };
  try {
    const serving = way.serve(opened);
    return serving?.catch(retry);
  } catch (error) {
    return retry(error);
  }
}

/** @throws CarcosaError `not_found` for a version that no file has */
function addressOf(request: FastifyRequest): FileAddress {
  const { key } = request.params as z.output<typeof Key>;
  const query = request.query as Record<string, unknown>;
  const { v } = query;
  if (v !== undefined && !(typeof v === 'string' && /^[1-9]\d{0,9}$/.test(v))) throw new CarcosaError('not_found');
  return {
    key,
    version: v === undefined ? null : Number(v),
    download: single(query.download) ?? null,
    expires: single(query.expires),
    signature: single(query.signature),
  };
}

/** What comes twice counts as absent: nobody signed two. */
function single(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

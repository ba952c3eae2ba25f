import { Readable } from 'node:stream';
import { Metadata, StorableText } from '@carcosa/contracts';
import { FILE_KEY, type RegisterInput } from '@carcosa/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Carcosa } from '../compose.ts';
import type { Routes } from '../http/types.ts';

/** Most files that one request of a browser is answered addresses for. */
const MAX_KEYS = 1000;

const Key = z.string().regex(FILE_KEY, 'is not the key of a file');

const RegisterBody = z.object({
  fileKeys: z.array(Key).min(1).max(MAX_KEYS),
  metadata: Metadata.default({}),
  isDev: z.boolean().default(false),
  callbackUrl: z.url({ protocol: /^https?$/ }).max(2048),
  callbackSlug: StorableText.max(256),
  awaitServerData: z.boolean().default(true),
});

const ResultBody = z.object({
  fileKey: Key,
  callbackData: z.unknown().optional(),
  error: StorableText.max(2000).optional(),
});

const PrepareBody = z.object({
  fileName: StorableText.min(1).max(1024),
  fileSize: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  slug: StorableText.max(256).optional(),
  fileType: StorableText.max(255).optional(),
  customId: StorableText.max(256).nullish(),
  contentDisposition: z.enum(['inline', 'attachment']).optional(),
  acl: z.enum(['public-read', 'private']).optional(),
  expiresIn: z
    .number()
    .int()
    .min(1)
    .max(7 * 24 * 3600)
    .default(3600),
});

// They belong to uploads, each of which counts once, where its bytes arrive.
const config = { permission: 'files:write', limit: false } as const;

/** What the back ends of apps say about uploads. */
export const appRoutes: Routes = (app, carcosa) => {
  const { apps } = carcosa;
  app.post(
    '/uploadthing/ingest/route-metadata',
    { config, schema: { hide: true, body: RegisterBody } },
    (request, reply) => register(carcosa, request, reply),
  );
  app.post(
    '/uploadthing/ingest/callback-result',
    { config, schema: { hide: true, body: ResultBody } },
    async (request) => {
      const { fileKey, callbackData, error } = request.body;
      await apps.answer(request.actor, fileKey, { result: callbackData ?? null, error: error ?? null });
      return { ok: true };
    },
  );
  app.post(
    '/uploadthing/v7/prepareUpload',
    { config: { permission: 'files:write' }, schema: { hide: true, body: PrepareBody } },
    async (request) => {
      const { customId, ...rest } = request.body;
      return await apps.prepare(request.actor, { ...rest, customId: customId ?? undefined });
    },
  );
};

async function register(
  { apps, logger }: Carcosa,
  request: FastifyRequest<{ Body: z.output<typeof RegisterBody> }>,
  reply: FastifyReply,
): Promise<unknown> {
  const { callbackSlug, callbackUrl, ...rest } = request.body;
  const url = new URL(callbackUrl);
  url.searchParams.set('slug', callbackSlug);
  const input: RegisterInput = { ...rest, callbackUrl: url.href };
  if (!input.isDev) {
    await apps.register(request.actor, input);
    return { ok: true };
  }
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const parts = await apps.stream(request.actor, input, gone.signal);
  const lines = async function* (): AsyncGenerator<string> {
    try {
      for await (const part of parts) yield lineOf(part);
    } catch (error) {
      logger.warn({ err: error, requestId: request.id }, 'the stream of an app in development ended early');
    }
  };
  reply.header('Content-Type', 'application/x-ndjson; charset=utf-8').header('Cache-Control', 'no-store');
  return reply.send(Readable.from(lines(), { objectMode: false }));
}

/** An empty line is no message, and keeps the connection alive. */
const lineOf = (part: object | null): string => (part === null ? '\n' : `${JSON.stringify(part)}\n`);

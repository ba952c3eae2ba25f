import { type ImageTransform, parseTransformQuery, parseTransformSteps } from '@carcosa/contracts';
import {
  type Actor,
  cacheControl,
  clientOf,
  contentDisposition,
  egressLimits,
  evaluatePreconditions,
  formatHttpDate,
  type TransformedFile,
  type VariantBody,
} from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Carcosa } from '../../compose.ts';
import { countTransform } from '../plugins/rate-limit.ts';
import type { Routes } from '../types.ts';

const text = z.string().optional();
/** What an address says beside the transform. */
const Address = z.object({
  v: text.describe('a version of the file: the result never changes, and may be kept for ever'),
  tenantId: text.describe('whose file it is; absent: the file of the project itself'),
  expires: text.describe('with `signature`: from the signed address of a private file'),
  signature: text,
});
const BESIDE = new Set(Object.keys(Address.shape));
const Query = Address.extend({
  w: text.describe('width in pixels; also `width`'),
  h: text.describe('height in pixels; also `height`'),
  fit: text.describe('cover, contain, fill, inside or outside'),
  format: text.describe('jpeg, png, webp, avif, gif, or auto: by Accept; also `f`'),
  quality: text.describe('1 to 100; also `q`. All other steps: docs/transforms.md'),
});
const Place = z.object({ projectId: z.string(), '*': z.string().describe('the path of the file') });
const ShortPlace = Place.extend({ steps: z.string().describe('such as w_800,h_600,f_webp, or "original"') });

/** Read by hand: the grammar is one for both forms, and names what is wrong. */
const unread = () => (value: unknown) => ({ value });

/** Pictures from their addresses. */
export const transformRoutes: Routes = (app, carcosa) => {
  const config = { public: true, knowsActor: true, limit: false, work: 'transform' } as const;
  const description =
    'Public files are open to everyone; private ones need `expires` and `signature` of their signed address, or a key or token with files:read or transforms:execute.';
  app.route({
    method: ['GET', 'HEAD'],
    url: '/api/v1/transform/:projectId/*',
    config,
    schema: {
      tags: ['transforms'],
      summary: 'A picture in another size or format',
      description,
      params: Place,
      querystring: Query,
    },
    validatorCompiler: unread,
    handler: (request, reply) => {
      const { own, address } = parameters(request);
      return answer(carcosa, { request, reply }, { transform: parseTransformQuery(own), address });
    },
  });
  app.route({
    method: ['GET', 'HEAD'],
    url: '/t/:projectId/:steps/*',
    config,
    schema: {
      tags: ['transforms'],
      summary: 'The same by a short address',
      description,
      params: ShortPlace,
      querystring: Address,
    },
    validatorCompiler: unread,
    handler: (request, reply) => {
      const { own, address } = parameters(request);
      // There is one place for steps: these would make a second address of the same picture.
      if (own.length > 0)
        throw new CarcosaError('invalid_request', { message: `There is no parameter "${own[0]?.[0]}".` });
      const { steps } = request.params as z.output<typeof ShortPlace>;
      return answer(carcosa, { request, reply }, { transform: parseTransformSteps(steps), address });
    },
  });
};

type Beside = z.output<typeof Address>;

/** The parameters of the address: those of the transform, and those beside it. */
function parameters(request: FastifyRequest): { own: [string, string][]; address: Beside } {
  const { url = '' } = request.raw;
  const at = url.indexOf('?');
  const all = at < 0 ? [] : [...new URLSearchParams(url.slice(at + 1))];
  const own = all.filter(([name]) => !BESIDE.has(name));
  return { own, address: Object.fromEntries(all.filter(([name]) => BESIDE.has(name))) as Beside };
}

interface Exchange {
  request: FastifyRequest;
  reply: FastifyReply;
}

async function answer(
  carcosa: Carcosa,
  { request, reply }: Exchange,
  { transform, address }: { transform: ImageTransform; address: Beside },
): Promise<FastifyReply> {
  const { clock, transforms } = carcosa;
  const begun = clock.now();
  await countTransform(carcosa, request, reply);
  const { projectId, '*': path } = request.params as z.output<typeof Place>;
  const actor = request.actor as Actor | null;
  const { v, tenantId, expires, signature } = address;
  const found = await transforms.open(actor, {
    ...{ projectId, tenantId, path, transform, expires, signature },
    version: versionOf(v),
    accept: request.raw.headers.accept,
    client: clientOf(request.ip),
  });
  const validators = { etag: found.etag, lastModified: found.opened.file.lastModified.getTime() };
  const terms = {
    lastModified: validators.lastModified,
    // One that was never replaced is kept too: whoever replaces pictures names their versions.
    lasting: v !== undefined || found.opened.file.version === 1,
    shared: actor === null || isUnconfinedKey(actor),
  };
  const condition = evaluatePreconditions(request.raw.headers, validators);
  if (condition === 'failed') throw new CarcosaError('precondition_failed');
  if (condition === 'not-modified') {
    setHeaders(reply, found, terms);
    return reply.code(304).send();
  }
  const isHead = request.raw.method === 'HEAD';
  const limits = egressLimits(found.opened.file);
  if (limits.length > 0 && !isHead) carcosa.egress.admit(limits);
  const { body, isHit } = await found.load();
  if (!isHead) {
    if (limits.length > 0) carcosa.egress.count(limits, body.size);
    carcosa.usage.countDownload(found.opened.file, actor, body.size);
  }
  // Not before: nobody may keep an error for a year.
  setHeaders(reply, found, terms);
  reply.header('X-Cache', isHit ? 'HIT' : 'MISS');
  reply.header('X-Processing-Time', clock.now() - begun);
  reply.header('Content-Disposition', contentDisposition('inline', nameOf(found)));
  reply.type(found.contentType);
  return await send(reply, body, isHead);
}

/** @throws CarcosaError `not_found` for a version that no file has */
function versionOf(v: string | undefined): number | null {
  if (v === undefined) return null;
  if (!/^[1-9]\d{0,9}$/.test(v)) throw new CarcosaError('not_found');
  return Number(v);
}

interface Terms {
  lastModified: number;
  lasting: boolean;
  /** Whether shared caches may keep a public picture: not where somebody else would get another one. */
  shared: boolean;
}

/** The picture of a version, or of a file that has had no other, is kept for ever; the bare address of a replaced file is asked for again. */
function setHeaders(reply: FastifyReply, found: TransformedFile, { lastModified, lasting, shared }: Terms): void {
  const { file, expiresIn } = found.opened;
  const visibility = shared ? file.visibility : 'private';
  reply.header('ETag', found.etag);
  reply.header('Last-Modified', formatHttpDate(lastModified));
  reply.header('Cache-Control', cacheControl({ visibility, versioned: lasting, expiresIn }));
  reply.header('X-Content-Type-Options', 'nosniff');
  reply.header('Cross-Origin-Resource-Policy', 'cross-origin');
  if (found.isNegotiated) reply.header('Vary', 'Accept');
}

/** Such a key finds at a path what everybody finds there; one of a tenant, what the tenant has. */
function isUnconfinedKey(actor: Actor): boolean {
  if (actor.type !== 'api-key') return false;
  const { tenantId, pathPrefix } = actor.restrictions;
  return tenantId === undefined && pathPrefix === undefined;
}

function nameOf({ opened, contentType }: TransformedFile): string {
  return `${opened.file.name.replace(/\.[A-Za-z0-9]{1,5}$/, '')}.${contentType.slice('image/'.length)}`;
}

async function send(reply: FastifyReply, body: VariantBody, isHead: boolean): Promise<FastifyReply> {
  reply.header('Content-Length', body.size);
  if (isHead) return reply.send();
  if ('bytes' in body) return reply.send(body.bytes);
  return reply.send((await body.open()).createReadStream());
}

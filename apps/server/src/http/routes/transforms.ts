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
import type { HotAnswer, HotAnswers } from '../serving/hot-answers.ts';
import type { Routes } from '../types.ts';

const text = z.string().optional();
/** What an address says beside the transform. */
const Address = z.object({
  v: text.describe('a version of the file: the result never changes, and may be kept for ever'),
  tenantId: text.describe('whose file it is; absent: the file of the project itself'),
  expires: text.describe('with `signature` or `s`: unix seconds'),
  signature: text.describe('from the signed address of a private file'),
  s: text.describe('signature of this address, by POST /api/v1/transform/sign'),
  url: text.describe('only without a path'),
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

const REMOTE = { url: z.string().describe('where the picture is, at a host that the project allows') };
const LONG = { params: Place, querystring: Query };
const SHORT = { params: ShortPlace, querystring: Address };
const LONG_REMOTE = { params: Place.omit({ '*': true }), querystring: Query.extend(REMOTE) };
const SHORT_REMOTE = { params: ShortPlace.omit({ '*': true }), querystring: Address.extend(REMOTE) };

/** Read by hand: the grammar is one for both forms, and names what is wrong. */
const unread = () => (value: unknown) => ({ value });

type Parse = (request: FastifyRequest) => { transform: ImageTransform; address: Beside };

/** Pictures from their addresses. */
export const transformRoutes: Routes = (app, carcosa) => {
  const config = { public: true, knowsActor: true, limit: false, work: 'transform' } as const;
  const description =
    'Public files are open to everyone; private ones need `expires` and `signature` of their signed address, or a key or token with files:read or transforms:execute.';
  const serve = servePictures(carcosa);
  const long: Parse = (request) => {
    const { own, address } = parameters(request);
    return { transform: parseTransformQuery(own), address };
  };
  const short: Parse = (request) => {
    const { own, address } = parameters(request);
    // There is one place for steps: these would make a second address of the same picture.
    if (own.length > 0)
      throw new CarcosaError('invalid_request', { message: `There is no parameter "${own[0]?.[0]}".` });
    const { steps } = request.params as z.output<typeof ShortPlace>;
    return { transform: parseTransformSteps(steps), address };
  };
  for (const { url, summary, parse, params, querystring } of [
    { ...LONG, url: '/api/v1/transform/:projectId/*', summary: 'A picture in another size or format', parse: long },
    { ...SHORT, url: '/t/:projectId/:steps/*', summary: 'The same by a short address', parse: short },
    { ...LONG_REMOTE, url: '/api/v1/transform/:projectId', summary: 'A picture from elsewhere', parse: long },
    { ...SHORT_REMOTE, url: '/t/:projectId/:steps', summary: 'The same by a short address', parse: short },
  ]) {
    app.route({
      method: ['GET', 'HEAD'],
      url,
      config,
      schema: { tags: ['transforms'], summary, description, params, querystring },
      validatorCompiler: unread,
      handler: (request, reply) => serve(request, reply, () => parse(request)),
    });
  }
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

/** What is the same for whoever asks is answered from memory, where nothing that it was decided by has changed. */
function servePictures(carcosa: Carcosa) {
  const { hotPictures } = carcosa;
  return (
    request: FastifyRequest,
    reply: FastifyReply,
    parse: Parse,
  ): undefined | Promise<FastifyReply | undefined> => {
    const counted = countTransform(carcosa, request, reply);
    const exchange = { request, reply };
    const go = (): undefined | Promise<FastifyReply | undefined> => {
      const isAlike = isLikeEverybody(request.actor as Actor | null);
      const { url = '', headers } = request.raw;
      const known = isAlike ? hotPictures.find(url, headers.accept) : undefined;
      if (known) return answerHot(carcosa, exchange, known);
      return answer(carcosa, exchange, { ...parse(request), hot: isAlike ? hotPictures.answers : null });
    };
    return counted instanceof Promise ? counted.then(go) : go();
  };
}

function answerHot({ hotPictures, usage }: Carcosa, { request, reply }: Exchange, hot: HotAnswer): undefined {
  const condition = evaluatePreconditions(request.raw.headers, hot.validators);
  if (condition === 'failed') throw new CarcosaError('precondition_failed');
  reply.hijack();
  const status = hotPictures.send(request, reply.raw, { hot, isKnown: condition === 'not-modified' });
  if (status === 200) usage.countDownload(hot.found.place, request.actor as Actor | null, hot.bytes.length);
}

async function answer(
  carcosa: Carcosa,
  { request, reply }: Exchange,
  { transform, address, hot }: ReturnType<Parse> & { hot: HotAnswers | null },
): Promise<FastifyReply> {
  const { clock, transforms } = carcosa;
  const begun = clock.now();
  const { purges } = transforms;
  const { projectId, '*': path = '' } = request.params as Partial<z.output<typeof Place>> & { projectId: string };
  const actor = request.actor as Actor | null;
  const { v, tenantId, expires, signature, s, url } = address;
  if (url !== undefined && path !== '')
    throw new CarcosaError('invalid_request', { message: 'Give either a path or "url".' });
  const found = await transforms.open(actor, {
    ...{ projectId, tenantId, path, url, transform, expires, signature, transformSignature: s },
    version: versionOf(v),
    accept: request.raw.headers.accept,
    client: clientOf(request.ip),
  });
  const { etag, lastModified, file } = found;
  const condition = evaluatePreconditions(request.raw.headers, { etag, lastModified });
  if (condition === 'failed') throw new CarcosaError('precondition_failed');
  const validation = validationOf(found, isLikeEverybody(actor));
  if (condition === 'not-modified') {
    for (const [name, value] of validation) reply.header(name, value);
    return reply.code(304).send();
  }
  const isHead = request.raw.method === 'HEAD';
  const limits = file ? egressLimits(file) : [];
  if (limits.length > 0 && !isHead) carcosa.egress.admit(limits);
  const { body, isHit } = await found.load();
  if (!isHead) {
    if (limits.length > 0) carcosa.egress.count(limits, body.size);
    carcosa.usage.countDownload(found.place, actor, body.size);
  }
  const description = descriptionOf(found, body);
  const isAlike = found.isPublic && found.expiresIn === null && s === undefined && signature === undefined;
  if (hot && isAlike && limits.length === 0 && 'bytes' in body) {
    hot.set(request.raw.url ?? '', request.raw.headers.accept, {
      ...{ found, purges, bytes: body.bytes, validators: { etag, lastModified } },
      validation: validation.flat(),
      description: [...description, ['X-Cache', 'HIT'], ['X-Processing-Time', '0']].flat(),
    });
  }
  // Not before: nobody may keep an error for a year.
  for (const [name, value] of [...validation, ...description]) reply.header(name, value);
  reply.header('X-Cache', isHit ? 'HIT' : 'MISS');
  reply.header('X-Processing-Time', clock.now() - begun);
  return await send(reply, body, isHead);
}

/** @throws CarcosaError `not_found` for a version that no file has */
function versionOf(v: string | undefined): number | null {
  if (v === undefined) return null;
  if (!/^[1-9]\d{0,9}$/.test(v)) throw new CarcosaError('not_found');
  return Number(v);
}

type Header = [string, string];

/**
 * The picture of a version, or of a file that has had no other, is kept for ever; the bare address of a replaced file is asked for again.
 * The tag is weak: a result that is made again need not be the same in every byte.
 * @param shared whether shared caches may keep a public picture: not where somebody else would get another one
 */
function validationOf(found: TransformedFile, shared: boolean): Header[] {
  const { isPublic, isLasting, expiresIn, facts, file } = found;
  const visibility = shared && isPublic ? 'public' : 'private';
  const tags = [facts.id, ...(file ? [file.id] : [])].join(',');
  return [
    ['ETag', `W/${found.etag}`],
    ['Last-Modified', formatHttpDate(found.lastModified)],
    ['Cache-Control', cacheControl({ visibility, versioned: isLasting, expiresIn })],
    ['X-Content-Type-Options', 'nosniff'],
    ['Cross-Origin-Resource-Policy', 'cross-origin'],
    ...(visibility === 'public' ? [['Cache-Tag', tags] satisfies Header] : []),
    ...(found.isNegotiated ? [['Vary', 'Accept'] satisfies Header] : []),
  ];
}

function descriptionOf(found: TransformedFile, { size }: VariantBody): Header[] {
  return [
    ['Content-Disposition', contentDisposition('inline', nameOf(found))],
    ['Content-Type', found.contentType],
    ['Content-Length', String(size)],
  ];
}

/** Nobody known, or a key that finds at a path what everybody finds there; one of a tenant finds what the tenant has. */
function isLikeEverybody(actor: Actor | null): boolean {
  if (actor === null) return true;
  if (actor.type !== 'api-key') return false;
  const { tenantId, pathPrefix } = actor.restrictions;
  return tenantId === undefined && pathPrefix === undefined;
}

function nameOf({ name, contentType }: TransformedFile): string {
  return `${name.replace(/\.[A-Za-z0-9]{1,5}$/, '')}.${contentType.slice('image/'.length)}`;
}

async function send(reply: FastifyReply, body: VariantBody, isHead: boolean): Promise<FastifyReply> {
  if (isHead) return reply.send();
  if ('bytes' in body) return reply.send(body.bytes);
  return reply.send((await body.open()).createReadStream());
}

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { type OpenedAddress, parseSignedAddress } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Carcosa } from '../compose.ts';
import { readMultipart } from '../http/multipart.ts';
import { originOf } from '../http/plugins/auth.ts';
import { countUpload } from '../http/plugins/rate-limit.ts';
import type { Routes } from '../http/types.ts';
import { uploadScope } from '../http/upload-scope.ts';

type KeyedRequest = FastifyRequest<{ Params: { key: string } }>;

const params = z.object({ key: z.string() });
const query = z.record(z.string(), z.unknown());
// Who may is said by the signature; one upload counts once, where it begins.
const config = { public: true, limit: false } as const;
/** Bytes behind the first are those of an upload that has begun. */
const goesOn = ({ headers: { range } }: FastifyRequest): boolean =>
  range !== undefined && !range.startsWith('bytes=0-');
const ofUpload = { ...config, work: 'upload', goesOn } as const;
const schema = { hide: true, params, querystring: query };

/** Where bytes arrive at addresses that an app has signed. */
export const ingestRoutes: Routes = (app, carcosa) => {
  uploadScope(app, (scope) => {
    scope.head('/uploadthing/ingest/:key', { config, schema }, async (request, reply) => {
      const opened = await open(carcosa, request);
      const offset = await carcosa.signedUploads.offset(opened);
      return reply.code(200).header('X-Ut-Range-Start', String(offset)).header('Cache-Control', 'no-store').send();
    });
    scope.put('/uploadthing/ingest/:key', { config: ofUpload, schema }, (request, reply) =>
      receive(carcosa, request, reply),
    );
  });
};

async function receive(carcosa: Carcosa, request: KeyedRequest, reply: FastifyReply): Promise<FastifyReply> {
  const opened = await open(carcosa, request);
  const start = rangeStart(request.raw.headers.range);
  if (start === 0) await countUpload(carcosa, { request, reply, actor: opened.actor });
  const result = await carcosa.signedUploads.write(opened, { start, ...(await readBody(request.raw)) });
  const { url, appUrl, ufsUrl, fileHash, serverData } = result;
  reply.header('Carcosa-File-Key', result.key).header('Cache-Control', 'no-store');
  return reply.code(200).send({ url, appUrl, ufsUrl, fileHash, serverData });
}

/** The part `file` of a form, or the body itself from clients that are no browser's form. */
async function readBody(raw: IncomingMessage): Promise<{ body: Readable; contentType: string | undefined }> {
  const contentType = raw.headers['content-type'];
  if (!contentType?.toLowerCase().startsWith('multipart/form-data')) return { body: raw, contentType };
  const form = await readMultipart(raw);
  return { body: form.stream, contentType: form.contentType };
}

async function open(carcosa: Carcosa, request: KeyedRequest): Promise<OpenedAddress> {
  const address = parseSignedAddress(request.raw.url ?? '', request.params.key);
  const opened = await carcosa.signedUploads.open(address, originsOf(carcosa, request), originOf(request));
  request.actor = opened.actor;
  return opened;
}

/** The addresses under which this client may know us. None of them is trusted: what was signed decides. */
export function originsOf({ publicUrl }: Pick<Carcosa, 'publicUrl'>, request: FastifyRequest): string[] {
  const { host } = request.raw.headers;
  return [...new Set([publicUrl, ...(host ? [`http://${host}`, `https://${host}`] : [])])];
}

/** `Range: bytes=N-`. Absent: from the first byte. @throws CarcosaError `invalid_request` */
function rangeStart(header: string | undefined): number {
  if (header === undefined) return 0;
  const start = Number(/^bytes=(\d{1,16})-$/.exec(header)?.[1] ?? Number.NaN);
  if (Number.isSafeInteger(start)) return start;
  throw new CarcosaError('invalid_request', {
    message: 'Range must be "bytes=N-", where N is the number of bytes that are stored already: ask by HEAD.',
  });
}

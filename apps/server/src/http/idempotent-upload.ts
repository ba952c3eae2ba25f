import { createHash } from 'node:crypto';
import type { IdempotencyLease, IdempotencyService } from '@carcosa/domain';
import type { FastifyReply } from 'fastify';
import { JSON_TYPE } from './envelope.ts';
import { REPLAYED_HEADER } from './plugins/idempotency.ts';

const EXTEND_EVERY_MS = 20_000;

/** An answer to an upload, and what the request was: its parameters and the SHA-256 of its bytes. */
export interface UploadAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  request: { parameters: unknown; sha256: string };
}

export interface IdempotentUpload {
  /** See `idempotencyScope`. */
  scope: string;
  key: string;
  /** Stores the body. */
  store(): Promise<UploadAnswer>;
  /** Reads the body without keeping it: only the bytes can tell whether it is the same request again. */
  identify(): Promise<UploadAnswer['request']>;
}

/** Runs an upload under an `Idempotency-Key`, or replays the answer that it got before. */
export async function uploadOnce(
  service: IdempotencyService,
  reply: FastifyReply,
  upload: IdempotentUpload,
): Promise<FastifyReply> {
  const { scope, key } = upload;
  const begun = await service.begin({ scope, key, fingerprint: null });
  if (!begun.lease) {
    begun.assertSame(fingerprint(await upload.identify()));
    const { status, headers, body } = begun.replay;
    return reply
      .code(status)
      .headers(headers)
      .header(REPLAYED_HEADER, 'true')
      .header('Content-Type', JSON_TYPE)
      .send(body);
  }
  const claim = keepAlive(service, begun.lease);
  try {
    const { request, ...answer } = await upload.store();
    await service.finish(claim.lease(), answer, { fingerprint: fingerprint(request) });
    return sendAnswer(reply, answer);
  } catch (error) {
    await service.abandon(claim.lease());
    throw error;
  } finally {
    claim.end();
  }
}

export function sendAnswer(reply: FastifyReply, answer: Omit<UploadAnswer, 'request'>): FastifyReply {
  return reply.code(answer.status).headers(answer.headers).header('Content-Type', JSON_TYPE).send(answer.body);
}

function fingerprint(request: UploadAnswer['request']): Buffer {
  return createHash('sha256')
    .update(`${JSON.stringify(request.parameters)}\n${request.sha256}`)
    .digest();
}

/** An upload may take hours: its claim on the key is extended until it ends. */
function keepAlive(service: IdempotencyService, first: IdempotencyLease): { lease(): IdempotencyLease; end(): void } {
  let lease = first;
  const timer = setInterval(() => {
    service.extend(lease).then(
      (extended) => {
        lease = extended;
      },
      // Lost: then `finish` keeps nothing, and the upload itself is whole all the same.
      () => clearInterval(timer),
    );
  }, EXTEND_EVERY_MS);
  timer.unref();
  return { lease: () => lease, end: () => clearInterval(timer) };
}

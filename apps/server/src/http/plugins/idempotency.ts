import { createHash } from 'node:crypto';
import { type IdempotencyLease, type IdempotencyService, idempotencyScope, projectOf } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { JSON_TYPE } from '../envelope.ts';
import type { App } from '../types.ts';

/** Marks an answer that was given before. */
export const REPLAYED_HEADER = 'Idempotency-Replayed';

// Of an answer's headers only those that belong to what was made are kept with it.
const KEPT_HEADERS = ['location', 'carcosa-file-id', 'carcosa-file-key'];

const leases = new WeakMap<FastifyRequest, IdempotencyLease>();

/** Gives every route with `config.idempotent` the rules of `Idempotency-Key`; the others pay nothing for them. */
export function addIdempotency(app: App, service: IdempotencyService): void {
  app.decorateRequest('jsonText', undefined);
  app.addHook('onRoute', (route) => {
    if (!route.config?.idempotent) return;
    const before = route.preHandler === undefined ? [] : [route.preHandler].flat();
    const after = route.onSend === undefined ? [] : [route.onSend].flat();
    route.preHandler = [...before, (request, reply) => begin(service, request, reply)];
    route.onSend = [...after, (request, reply, payload) => finish(service, request, reply, payload)];
  });
}

async function begin(
  service: IdempotencyService,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const key = idempotencyKeyOf(request);
  if (key === undefined) return undefined;
  // A key or token answers for its own project alone, also to what it did before.
  if (request.actor.type !== 'user') projectOf(request.actor, requestedProject(request));
  const scope = idempotencyScope(request.actor);
  const found = await service.begin({ scope, key, fingerprint: fingerprintOf(request) });
  if (found.lease) {
    leases.set(request, found.lease);
    return undefined;
  }
  const { status, headers, body } = found.replay;
  return reply
    .code(status)
    .headers(headers)
    .header(REPLAYED_HEADER, 'true')
    .header('Content-Type', JSON_TYPE)
    .send(body);
}

async function finish(
  service: IdempotencyService,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<unknown> {
  const lease = leases.get(request);
  if (!lease) return payload;
  leases.delete(request);
  const body = typeof payload === 'string' ? payload : '';
  await service.finish(lease, { status: reply.statusCode, headers: keptHeaders(reply), body });
  return payload;
}

/** The header's value. @throws CarcosaError `invalid_request` when it came twice */
export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (Array.isArray(key))
    throw new CarcosaError('invalid_request', { message: 'Send one Idempotency-Key, not several.' });
  return key;
}

/** SHA-256 of method, address and JSON body. */
function fingerprintOf(request: FastifyRequest): Buffer {
  return createHash('sha256')
    .update(`${request.method}\n${request.url}\n`)
    .update(request.jsonText ?? '')
    .digest();
}

function requestedProject(request: FastifyRequest): string | undefined {
  const { projectId } = {
    ...(request.query as Record<string, unknown>),
    ...(request.body as Record<string, unknown> | undefined),
  };
  return typeof projectId === 'string' ? projectId : undefined;
}

function keptHeaders(reply: FastifyReply): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = reply.getHeader(name);
    if (value !== undefined) kept[name] = String(value);
  }
  return kept;
}

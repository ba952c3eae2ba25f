import { EventStreamQuery } from '@carcosa/contracts';
import { type Actor, projectOf } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { asksForUpgrade, takeUpgrade } from '../../realtime/upgrades.ts';
import { BrowserSession } from '../browser-session.ts';
import { tokenOf } from '../credentials.ts';
import { commonHeaders } from '../plugins/request-context.ts';
import type { Routes } from '../types.ts';

/** One of these is enough to ask; the service shows what the caller may read. */
const SIGHTS = ['projects:read', 'files:read', 'api-keys:read', 'tenants:manage'] as const;

/** What happens, as it happens: Server-Sent Events, a WebSocket for one operation, and Socket.IO. */
export const realtimeRoutes: Routes = (app, { realtime, publicUrl }) => {
  const browser = new BrowserSession(publicUrl);

  app.get(
    '/api/v1/events/stream',
    {
      // A stream has no head without it.
      exposeHeadRoute: false,
      config: { permission: SIGHTS },
      schema: {
        tags: ['events'],
        summary: 'Follow what happens, as Server-Sent Events',
        description:
          'Each message is an event of GET /api/v1/events, and its id the place to go on from: a browser sends it as Last-Event-ID when it connects again, and misses nothing. Messages of the type "progress" tell of uploads and jobs whose rooms are named; one of the type "closing" says why the stream ends.',
        querystring: EventStreamQuery,
        response: { 200: z.string().describe('text/event-stream') },
      },
    },
    async (request, reply) => {
      const lastId = request.raw.headers['last-event-id'];
      const since = request.query.since ?? (typeof lastId === 'string' && lastId !== '' ? lastId : undefined);
      const who = { actor: request.actor, request };
      await realtime.sources.open(who, { rooms: roomsOf(request.actor, request.query), since }, (retry) => {
        reply.hijack();
        reply.raw.writeHead(200, headersOf(request));
        reply.raw.write(retry);
        return reply.raw;
      });
    },
  );

  app.get(
    '/ws/operations/:id',
    {
      exposeHeadRoute: false,
      config: { permission: ['files:read', 'files:write'] },
      schema: { hide: true, params: z.object({ id: z.string() }) },
    },
    async (request, reply) => {
      // Browsers send cookies with the WebSocket of any page.
      if (tokenOf(request) === undefined) browser.assertOurs({ method: 'POST', raw: request.raw });
      if (!asksForUpgrade(request.raw))
        throw new CarcosaError('invalid_request', { message: 'This address speaks WebSocket.' });
      const upgrade = () => {
        reply.hijack();
        return takeUpgrade(request.raw);
      };
      const who = { actor: request.actor, request };
      await realtime.operations.open(request.params.id, who, { message: request.raw, upgrade });
    },
  );

  // Who connects says so in a message of the protocol. The library reads what is posted itself, so that nobody may do so before.
  const serve = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const { raw, ip } = request;
    const taken = asksForUpgrade(raw)
      ? realtime.sockets.upgrade(raw, () => takeUpgrade(reply.hijack().request.raw), ip)
      : realtime.sockets.request(raw, () => reply.hijack().raw, ip);
    taken.catch((error: Error) => done(error));
  };
  app.route({
    method: ['GET', 'POST', 'OPTIONS'],
    url: '/socket.io',
    config: { public: true, limit: false },
    schema: { hide: true },
    onRequest: serve,
    handler: async () => {},
  });
};

/** The rooms that a query names; at least one. @throws CarcosaError `invalid_request` when it names none */
function roomsOf(actor: Actor, query: EventStreamQuery): string[] {
  const { organizationId, projectId, tenantId, rooms } = query;
  const named = [
    ...(rooms === undefined ? [] : rooms.split(',').map((room) => room.trim())),
    ...(organizationId === undefined ? [] : [`organization:${organizationId}`]),
    ...(tenantId === undefined ? [] : [`tenant:${tenantId}`]),
    ...(projectId === undefined ? [] : [`project:${projectId}`]),
  ];
  return named.length > 0 ? named : [`project:${projectOf(actor)}`];
}

function headersOf(request: FastifyRequest): string[] {
  return [
    ...commonHeaders(request),
    'Content-Type',
    'text/event-stream; charset=utf-8',
    'Cache-Control',
    'no-store, no-transform',
    // For nginx, which would gather answers otherwise.
    'X-Accel-Buffering',
    'no',
  ];
}

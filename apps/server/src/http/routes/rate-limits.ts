import { AddressBlock, CallerLimits, RateLimitOverrides, RateLimitTier, success } from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const Tiers = z.object({ tiers: z.array(RateLimitTier) });
const Blocks = z.object({ blocks: z.array(AddressBlock) });
const CallerParams = z.object({
  caller: z.string().min(1).max(200).describe('id of a key, token or user, or a client address'),
});
const tags = ['rate-limits'];
// An administrator who lowered a limit too far must be able to raise it again: 20 requests an hour would be too few for that.
const config = { permission: 'admin', limit: 'standard' } as const;

/** For administrators of the server alone: the service decides who that is. */
export const rateLimitRoutes: Routes = (app, carcosa) => {
  tierRoutes(app, carcosa);
  callerRoutes(app, carcosa);
};

const tierRoutes: Routes = (app, { rateLimits, clock }) => {
  app.get(
    '/api/v1/rate-limits',
    {
      config,
      schema: { tags, summary: 'Read the limits of all tiers', response: { 200: success(Tiers) } },
    },
    async (request) => answer(clock, { tiers: await rateLimits.tiers(request.actor) }),
  );

  app.patch(
    '/api/v1/rate-limits',
    {
      config,
      schema: {
        tags,
        summary: 'Change the limits of tiers, on all nodes at once',
        description: 'null lifts a limit; what is absent stays as it is.',
        body: RateLimitOverrides,
        response: { 200: success(Tiers) },
      },
    },
    async (request) => answer(clock, { tiers: await rateLimits.change(request.actor, request.body) }),
  );

  app.post(
    '/api/v1/rate-limits/reset',
    {
      config,
      schema: { tags, summary: 'Bring the default limits back', response: { 200: success(Tiers) } },
    },
    async (request) => answer(clock, { tiers: await rateLimits.restore(request.actor) }),
  );

  app.put(
    '/api/v1/rate-limits/projects/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Replace the limits that a project has of its own',
        description: 'They stand instead of those of the server; {} ends them.',
        params: z.object({ id: z.string() }),
        body: RateLimitOverrides,
        response: { 200: success(RateLimitOverrides) },
      },
    },
    async (request) => answer(clock, await rateLimits.setProject(request.actor, request.params.id, request.body)),
  );
};

const callerRoutes: Routes = (app, { rateLimits, clock }) => {
  app.get(
    '/api/v1/rate-limits/callers/:caller',
    {
      config,
      schema: {
        tags,
        summary: 'Read what a caller has used of each tier',
        params: CallerParams,
        response: { 200: success(CallerLimits) },
      },
    },
    async (request) => answer(clock, await rateLimits.caller(request.actor, request.params.caller)),
  );

  app.delete(
    '/api/v1/rate-limits/callers/:caller',
    {
      config,
      schema: {
        tags,
        summary: 'Forget what a caller has used, and end its block',
        params: CallerParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await rateLimits.resetCaller(request.actor, request.params.caller);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/v1/rate-limits/blocks',
    {
      config,
      schema: { tags, summary: 'List the addresses that are blocked', response: { 200: success(Blocks) } },
    },
    async (request) => answer(clock, { blocks: await rateLimits.blocks(request.actor) }),
  );
};

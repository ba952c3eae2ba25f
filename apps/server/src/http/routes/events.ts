import { Event, ListEventsQuery, page, success } from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['events'];
const params = z.object({ id: z.string() });
/** One of these is enough to ask; the service shows the events of what the caller may read. */
const config = { permission: ['projects:read', 'files:read', 'api-keys:read', 'tenants:manage'] } as const;

/** What happened: pages of it, and one event. */
export const eventRoutes: Routes = (app, { events, clock }) => {
  app.get(
    '/api/v1/events',
    {
      config,
      schema: {
        tags,
        summary: 'List what happened, newest first',
        description:
          'A key sees the events of what it may read in its project; one that is confined to a tenant or folder those of that. A user names a project, or as owner or admin an organization.',
        querystring: ListEventsQuery,
        response: { 200: success(page(Event)) },
      },
    },
    async (request) => answer(clock, await events.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/events/:id',
    { config, schema: { tags, summary: 'Read an event', params, response: { 200: success(Event) } } },
    async (request) => answer(clock, await events.get(request.actor, request.params.id)),
  );
};

import { success } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const Component = z.object({
  status: z.enum(['up', 'down']),
  latency: z.number().describe('milliseconds'),
  error: z.string().optional().describe('a code of docs/errors.md'),
});

const Health = z.object({
  status: z.enum(['up', 'degraded']),
  version: z.string(),
  components: z.object({
    database: Component,
    storage: Component,
    disk: Component,
    queue: Component,
    redis: Component.optional(),
    mail: Component.optional(),
  }),
});

const tags = ['health'];

export const healthRoutes: Routes = (app, { health, clock, version }) => {
  app.get('/health', { config: { public: true, limit: false }, schema: { hide: true } }, async () => ({
    status: 'alive',
  }));

  app.get('/ready', { config: { public: true, limit: false }, schema: { hide: true } }, async () => {
    if (!health.isReady) throw new CarcosaError('shutting_down');
    if (!(await health.serves())) throw new CarcosaError('database_unavailable');
    return { status: 'ready' };
  });

  app.get(
    '/api/v1/health',
    {
      config: { public: true, limit: false },
      schema: {
        tags,
        summary: 'How the server and what it depends on are',
        response: { 200: success(Health), 503: success(Health) },
      },
    },
    async (_request, reply) => {
      const found = await health.check();
      reply.code(found.status === 'up' ? 200 : 503).header('Cache-Control', 'no-store');
      return answer(clock, { version, ...found });
    },
  );
};

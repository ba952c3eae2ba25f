import { ExplainBody, Explanation, PERMISSIONS, success } from '@carcosa/contracts';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

export const accessRoutes: Routes = (app, { explainer, clock }) => {
  app.post(
    '/api/v1/access/explain',
    {
      // Everybody may ask about themselves.
      config: { permission: PERMISSIONS, limit: 'read' },
      schema: {
        tags: ['access'],
        summary: 'Ask why somebody may do something, or why not',
        description:
          'By the same decision that every route makes, with the bucket and the rate limit that would apply. About others than oneself asks who may everything in the project.',
        body: ExplainBody,
        response: { 200: success(Explanation) },
      },
    },
    async (request) => answer(clock, await explainer.explain(request.actor, request.body)),
  );
};

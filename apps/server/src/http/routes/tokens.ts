import { success, TokenFacts, ValidateTokenBody } from '@carcosa/contracts';
import type { Actor } from '@carcosa/domain';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import { holderOf, tokenOf } from '../credentials.ts';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

export const tokenRoutes: Routes = (app, carcosa) => {
  app.post(
    '/api/v1/tokens/validate',
    {
      config: { public: true },
      schema: {
        tags: ['tokens'],
        summary: 'Ask whether a key or token is in force, and what it may',
        description: 'Of the `token` in the body, or where there is none, of the one that the request is sent with.',
        body: ValidateTokenBody.nullish(),
        response: { 200: success(TokenFacts) },
      },
    },
    async (request, reply) => {
      const token = request.body?.token ?? tokenOf(request);
      if (token === undefined) throw new CarcosaError('invalid_request', { message: 'Say which token, in the body.' });
      reply.header('Cache-Control', 'no-store');
      return answer(carcosa.clock, await factsOf(() => holderOf(carcosa, token)));
    },
  );
};

async function factsOf(authenticate: () => Actor | Promise<Actor>): Promise<TokenFacts> {
  try {
    return describe(await authenticate());
  } catch (error) {
    if (isCarcosaError(error, 'unauthenticated')) return { valid: false };
    throw error;
  }
}

function describe(actor: Actor): TokenFacts {
  switch (actor.type) {
    case 'api-key': {
      const { id, type, projectId, permissions, restrictions } = actor;
      return { valid: true, type, id, projectId, permissions: [...permissions], restrictions };
    }
    case 'tenant-token': {
      const { id, type, projectId, tenantId, permissions, pathPrefix } = actor;
      return {
        valid: true,
        type,
        id,
        projectId,
        tenantId,
        permissions: [...permissions],
        restrictions: { pathPrefix },
      };
    }
    case 'user':
      return { valid: true, type: 'access-token', userId: actor.id };
    case 'system':
      return { valid: false };
  }
}

import type { Permission } from '@carcosa/contracts';
import type { Actor } from '@carcosa/domain';
import type { ErrorCode } from '@carcosa/kernel';
import type { FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Carcosa } from '../compose.ts';

/** The web server as routes see it: their Zod schemas give the types of params, query and body. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What each `routes/<resource>.ts` exports. */
export type Routes = (app: App, carcosa: Carcosa) => void;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed. Every route says this or `public`; boot fails otherwise. */
    permission?: Permission;
    /** Open to everyone: `request.actor` is not set. */
    public?: true;
    /** A POST that creates and reads JSON: honours `Idempotency-Key`. Streamed bodies ask the service themselves. */
    idempotent?: true;
    /** Where the route's protocol has statuses of its own for some errors. */
    errorStatus?: Partial<Record<ErrorCode, number>>;
  }

  interface FastifyRequest {
    /** Who asks. Set on every route that is not `public`. */
    actor: Actor;
    /** The JSON text as it came; kept only where an `Idempotency-Key` will be compared with it. */
    jsonText: string | undefined;
  }
}

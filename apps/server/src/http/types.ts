import type { LimitTier, Permission } from '@carcosa/contracts';
import type { Actor, Limited } from '@carcosa/domain';
import type { ErrorCode } from '@carcosa/kernel';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { z } from 'zod';
import type { Carcosa } from '../compose.ts';
import type { Work } from '../load/load-guard.ts';

/** What handlers get is what the schemas make of it; what they answer is what the responses' schemas accept, or that as JSON text. */
interface ZodTypeProvider extends FastifyTypeProvider {
  validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
  serializer: this['schema'] extends z.ZodType ? z.input<this['schema']> | string : unknown;
}

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
    /**
     * What a key or token must be allowed; of several, one of them. People pass: the service decides. Every route says this, `login`,
     * `serverAdmin` or `public`; boot fails otherwise.
     */
    permission?: Permission | readonly Permission[];
    /** For people who are logged in, whoever they are; not for keys and tokens. The service decides what they may. */
    login?: true;
    /** For people who run the server. */
    serverAdmin?: true;
    /** Open to everyone: `request.actor` is not set. */
    public?: true;
    /** With `public`: `request.actor` is set nevertheless where somebody says who they are, and null otherwise. */
    knowsActor?: true;
    /** The tier that requests count in; false: they are not limited. Absent: decided by permission and method, see plugins/rate-limit.ts. */
    limit?: LimitTier | false;
    /** A POST that creates and reads JSON: honours `Idempotency-Key`. Streamed bodies ask the service themselves. */
    idempotent?: true;
    /** Expensive as long as it is under way: sent away with 503 while the process has as much as it can hold. */
    work?: Work;
    /** With `work`: it is part of what was begun before, and never sent away. */
    goesOn?: true | ((request: FastifyRequest) => boolean);
    /** Where the route's protocol has statuses of its own for some errors. */
    errorStatus?: Partial<Record<ErrorCode, number>>;
  }

  // For the documentation: see openapi/document.ts.
  interface FastifySchema {
    hide?: boolean;
    tags?: readonly string[];
    summary?: string;
    description?: string;
    consumes?: readonly string[];
  }

  interface FastifyRequest {
    /** Who asks. Set on every route that is not `public`. */
    actor: Actor;
    /** What the rate limit says of this request; null where it is not limited, undefined where nobody has asked. */
    rateLimit: Limited | undefined;
    /** The JSON text as it came; kept only where an `Idempotency-Key` will be compared with it. */
    jsonText: string | undefined;
  }
}

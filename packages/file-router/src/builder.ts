import type { FileKind } from '@carcosa/contracts';
import { type RouteConfig, resolveConfig } from './file-kinds.ts';
import type { SchemaInput, SchemaOutput, StandardSchema } from './standard-schema.ts';
import type {
  CompleteOptions,
  ErrorOptions,
  FileRoute,
  Jsonify,
  MaybePromise,
  Middleware,
  RouteDefinition,
  RouteOptions,
  UploadRouter,
} from './types.ts';

/** Shown by the compiler where a step comes twice or too late. */
export interface Misplaced<Message extends string> {
  readonly 'this step is misplaced': Message;
}

/** What a client gets of it: a function that returns nothing leaves null. */
type Returned<Output> = [Output] extends [ReturnType<() => void>] ? null : Jsonify<Output>;

/** Which steps a route has had. */
type Steps = 'input' | 'middleware' | 'onUploadError';

/**
 * A route in the making. Each step gives a new one; `onUploadComplete` ends it. The order is `input`, `middleware`, `onUploadError`,
 * `onUploadComplete`, each but the last may be left out.
 */
export interface RouteBuilder<
  Context,
  Kind extends string,
  ClientInput = undefined,
  Input = undefined,
  Metadata = Record<never, never>,
  Done extends Steps = never,
> {
  /** What a client sends beside its files, by any schema of the Standard Schema specification (zod, valibot, arktype). */
  input<Schema extends StandardSchema>(
    schema: 'input' extends Done
      ? Misplaced<'input was given before'>
      : 'middleware' extends Done
        ? Misplaced<'input must come before middleware, which receives it'>
        : Schema,
  ): RouteBuilder<Context, Kind, SchemaInput<Schema>, SchemaOutput<Schema>, Metadata, Done | 'input'>;

  /**
   * Runs before anything is uploaded: throw an `UploadError` to refuse. What it returns is the metadata of `onUploadComplete`, which
   * travels as JSON and never reaches the client.
   */
  middleware<Returned extends Record<string, unknown>>(
    run: 'middleware' extends Done ? Misplaced<'middleware was given before'> : Middleware<Context, Input, Returned>,
  ): RouteBuilder<Context, Kind, ClientInput, Input, Returned, Done | 'middleware'>;

  /** Told of uploads that were refused or failed. */
  onUploadError(
    run: 'onUploadError' extends Done
      ? Misplaced<'onUploadError was given before'>
      : (options: ErrorOptions<Context>) => MaybePromise<void>,
  ): RouteBuilder<Context, Kind, ClientInput, Input, Metadata, Done | 'onUploadError'>;

  /**
   * Runs in your back end when a file is stored, until it has run without an error: it can run more than once for a file. What it returns
   * is the client's `serverData`.
   */
  onUploadComplete<Output = void>(
    run: (options: CompleteOptions<Context, Jsonify<Metadata>>) => MaybePromise<Output>,
  ): FileRoute<Context, ClientInput, Metadata, Returned<Output>, Kind>;
}

/** Begins a route: which kinds of files it takes, and how they are stored. */
export type RouteFactory<Context> = <const Config extends RouteConfig>(
  config: Config & { readonly [Unknown in Exclude<keyof Config, FileKind>]: never },
  options?: RouteOptions,
) => RouteBuilder<Context, Extract<keyof Config, FileKind>>;

/** For the context that the adapter of a framework passes on, such as `createBuilder<{ locals: App.Locals }>()`. */
export function createBuilder<Context = unknown>(): RouteFactory<Context> {
  return ((config: RouteConfig, options: RouteOptions = {}) =>
    makeBuilder({
      ...{ config: resolveConfig(config), options, schema: null, middleware: null, onUploadError: null },
      onUploadComplete: () => undefined,
    })) as unknown as RouteFactory<Context>;
}

/** Begins a route. */
export const f: RouteFactory<unknown> = createBuilder();

function makeBuilder(route: RouteDefinition) {
  const next = (step: Partial<RouteDefinition>) => makeBuilder({ ...route, ...step });
  return {
    input: (schema: StandardSchema) => next({ schema }),
    middleware: (middleware: NonNullable<RouteDefinition['middleware']>) => next({ middleware }),
    onUploadError: (onUploadError: NonNullable<RouteDefinition['onUploadError']>) => next({ onUploadError }),
    onUploadComplete: (onUploadComplete: RouteDefinition['onUploadComplete']) => ({
      route: { ...route, onUploadComplete },
    }),
  };
}

/** The routes of an app, by their slugs. Its type is all that clients need: `generateReactHelpers<typeof router>()`. */
export function createUploadRouter<const Router extends UploadRouter>(router: Router): Router {
  return router;
}

export type {
  AnyFileRoute,
  AnyUploadRouter,
  FileFamily,
  FileKind,
  FileLimits,
  FileToUpload,
  inferRouteInput,
  inferRouteKind,
  inferRouteOutput,
  inferRouterConfig,
  PreparedFile,
  RoutedFile,
  RouteError,
  RouteSlug,
  RouteSummary,
} from '@carcosa/contracts';
export {
  createBuilder,
  createUploadRouter,
  f,
  type Misplaced,
  type RouteBuilder,
  type RouteFactory,
} from './builder.ts';
export type { RouterConfig } from './environment.ts';
export { RouterConfigError, UploadError } from './errors.ts';
export type { KindOptions, PictureOptions, RouteConfig } from './file-kinds.ts';
export type { FileSize } from './file-size.ts';
export { createRouteHandler, type HandlerOptions, type RouteHandler } from './handler.ts';
export type { SchemaInput, SchemaOutput, StandardIssue, StandardSchema } from './standard-schema.ts';
export {
  type CompleteOptions,
  type ErrorOptions,
  FILES,
  type FileOverride,
  type FileRoute,
  type Jsonify,
  type MiddlewareOptions,
  type RouteOptions,
  type UploadedFile,
  type UploadRouter,
} from './types.ts';

/** The version of this package, as in its package.json. */
export const VERSION = '0.1.0';

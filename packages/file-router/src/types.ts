import type { AnyFileRoute, FileToUpload } from '@carcosa/contracts';
import type { UploadError } from './errors.ts';
import type { ResolvedConfig } from './file-kinds.ts';
import type { StandardSchema } from './standard-schema.ts';

export type MaybePromise<Value> = Value | Promise<Value>;

/** What becomes of a value on its way through JSON. */
export type Jsonify<Value> = Value extends { toJSON(): infer Json }
  ? Jsonify<Json>
  : Value extends string | number | boolean | null | undefined
    ? Value
    : Value extends readonly (infer Item)[]
      ? Jsonify<Item>[]
      : Value extends (...args: never[]) => unknown
        ? undefined
        : Value extends object
          ? { [Key in keyof Value]: Jsonify<Value[Key]> }
          : Value;

/** How a route stores what it takes. */
export interface RouteOptions {
  /** One of the project's buckets, by its id; absent: the project's first. */
  bucket?: string;
  /** Absent: as the project says. */
  visibility?: 'public' | 'private';
  /**
   * Where files lie, such as `avatars/{metadata.userId}/{key}.{extension}`: with {name}, {stem}, {extension}, {key}, {slug} and what the
   * middleware returned. A file that lies there already gets a new version. Absent: in a folder of its own.
   */
  path?: string;
  /** Whether the client waits for what `onUploadComplete` returns; absent: true. */
  awaitServerData?: boolean;
  /** Seconds in which an upload must begin; absent: 3,600. */
  expiresIn?: number;
}

/** A file that is stored. */
export interface UploadedFile {
  key: string;
  name: string;
  size: number;
  type: string;
  customId: string | null;
  lastModified?: number;
  url: string;
  appUrl: string;
  ufsUrl: string;
  /** MD5 in hex. */
  fileHash: string;
}

/** What a middleware may give beside its metadata: another name or an id of the app's own for each file, in their order. */
export const FILES: unique symbol = Symbol.for('carcosa.files');
export interface FileOverride {
  name?: string;
  customId?: string;
}

export interface MiddlewareOptions<Context, Input> {
  /** The request of the client. */
  request: Request;
  /** What the adapter of the framework passes on. */
  context: Context;
  input: Input;
  files: readonly FileToUpload[];
}

export interface CompleteOptions<Context, Metadata> {
  request: Request;
  context: Context;
  metadata: Metadata;
  file: UploadedFile;
  /** The same each time that the app is told of this file: it can be told more than once. */
  callbackId: string | null;
}

export interface ErrorOptions<Context> {
  request: Request;
  context: Context;
  error: UploadError;
  /** Null while no file had an address. */
  fileKey: string | null;
}

export type Middleware<Context, Input, Metadata> = (
  options: MiddlewareOptions<Context, Input>,
) => MaybePromise<Metadata>;

/** A finished route. Its `$types` exist for the compiler alone. */
export interface FileRoute<Context, Input, Metadata, Output, Kind extends string> extends AnyFileRoute {
  readonly $types: { input: Input; output: Output; metadata: Metadata; kind: Kind };
  readonly $context: Context;
  readonly route: RouteDefinition;
}

/** What the handler of a router needs of a route. */
export interface RouteDefinition {
  config: ResolvedConfig;
  options: RouteOptions;
  schema: StandardSchema | null;
  // The builder has held these to the types of each other.
  middleware: Middleware<never, never, Record<string, unknown>> | null;
  onUploadError: ((options: ErrorOptions<never>) => MaybePromise<void>) | null;
  onUploadComplete: (options: CompleteOptions<never, never>) => unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: a router holds routes of any types, in both directions.
export type UploadRouter<Context = any> = Readonly<Record<string, FileRoute<Context, any, any, any, string>>>;

/**
 * What a file router (`@carcosa/file-router`, in an app's back end) and its clients agree on. Types alone: a client names the type of
 * the router, `generateReactHelpers<typeof router>()`, and loads nothing of it.
 */

/** A family of content types, or one content type. */
export type FileFamily = 'image' | 'video' | 'audio' | 'pdf' | 'text' | 'blob';
export type FileKind = FileFamily | `${string}/${string}`;

/** What one kind of file may be in a route. Absent: not limited. */
export interface FileLimits {
  /** Bytes. */
  minFileSize?: number;
  maxFileSize?: number;
  /** Of one request. */
  minFileCount?: number;
  maxFileCount?: number;
  /** Pixels. */
  minWidth?: number;
  maxWidth?: number;
  minHeight?: number;
  maxHeight?: number;
}

/** `GET` answers a list of these: what each route takes, for the pickers of clients. */
export interface RouteSummary {
  slug: string;
  config: Partial<Record<FileKind, FileLimits>>;
}

/** A file as a client knows it before it is uploaded. */
export interface FileToUpload {
  name: string;
  /** Bytes. */
  size: number;
  /** Content type; "" where it is not known. */
  type: string;
  /** Milliseconds since the epoch. */
  lastModified?: number;
}

/** `POST ?actionType=upload&slug=…`: for which files a client wants addresses. */
export interface RouteUploadRequest {
  files: FileToUpload[];
  input?: unknown;
}

/**
 * The answer: one for each file, in their order. The client asks `HEAD url` for `X-Ut-Range-Start`, then sends `PUT url` with
 * `Range: bytes=N-` and the bytes from there on, as the body or as the part `file` of a form.
 */
export interface PreparedFile {
  url: string;
  key: string;
  name: string;
  customId: string | null;
}

/** The answer to the `PUT` of a whole file. */
export interface RoutedFile<ServerData = unknown> {
  url: string;
  appUrl: string;
  ufsUrl: string;
  /** MD5 in hex. */
  fileHash: string;
  /** What `onUploadComplete` returned; null in a route that does not wait for it. */
  serverData: ServerData;
}

/** The answer where a router refuses. */
export interface RouteError {
  /** Such as `file_too_large`. */
  error: string;
  message: string;
  /** The issues of an input that its schema refused. */
  details?: unknown;
}

/** A route, as far as its types tell clients: they exist at compile time alone. */
export interface AnyFileRoute {
  readonly $types: {
    /** What a client sends beside its files; undefined: nothing. */
    input: unknown;
    /** What `onUploadComplete` returned, after JSON. */
    output: unknown;
    /** What the middleware returned. It stays in the back end. */
    metadata: unknown;
    /** The kinds of files of the route. */
    kind: string;
  };
}

export type AnyUploadRouter = Readonly<Record<string, AnyFileRoute>>;

export type RouteSlug<Router extends AnyUploadRouter> = Extract<keyof Router, string>;
export type inferRouteInput<
  Router extends AnyUploadRouter,
  Slug extends keyof Router,
> = Router[Slug]['$types']['input'];
export type inferRouteOutput<
  Router extends AnyUploadRouter,
  Slug extends keyof Router,
> = Router[Slug]['$types']['output'];
export type inferRouteKind<Router extends AnyUploadRouter, Slug extends keyof Router> = Router[Slug]['$types']['kind'];

/** Input and server data of every route of a router. */
export type inferRouterConfig<Router extends AnyUploadRouter> = {
  readonly [Slug in keyof Router]: Pick<Router[Slug]['$types'], 'input' | 'output' | 'kind'>;
};

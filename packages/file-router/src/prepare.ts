import type { FileKind, FileToUpload, PreparedFile } from '@carcosa/contracts';
import { type Connection, present } from './environment.ts';
import { UploadError } from './errors.ts';
import { assertFiles, typesOf } from './file-kinds.ts';
import { fillPath } from './path-template.ts';
import { newKey, sign } from './signature.ts';
import type { StandardIssue } from './standard-schema.ts';
import { FILES, type FileOverride, type MiddlewareOptions, type RouteDefinition } from './types.ts';

/** Most files that one request may ask for. */
const MAX_FILES = 500;
const DEFAULT_SECONDS = 3600;

export interface PrepareContext {
  slug: string;
  route: RouteDefinition;
  request: Request;
  context: unknown;
}

/** Addresses for the files of a request, and what the app knows of them. */
export interface Prepared {
  files: PreparedFile[];
  metadata: Record<string, unknown>;
}

/** Checks what a client wants to upload, asks the middleware, and signs an address for each file. @throws UploadError */
export async function prepareUpload(
  connection: Connection,
  { slug, route, request, context }: PrepareContext,
): Promise<Prepared> {
  const { files, input } = readBody(await request.json().catch(() => null));
  const parsed = await parseInput(route, input);
  const kinds = assertFiles(route.config, files);
  const returned = route.middleware
    ? await route.middleware({ request, context, input: parsed, files } as unknown as MiddlewareOptions<never, never>)
    : {};
  const overrides = (returned as { [FILES]?: readonly FileOverride[] })[FILES] ?? [];
  const metadata = JSON.parse(JSON.stringify(returned)) as Record<string, unknown>;
  const prepared = await Promise.all(
    files.map((file, position) => {
      const named = { ...file, ...overrides[position] };
      return prepareFile(connection, { slug, route, metadata }, named, kinds[position] as FileKind);
    }),
  );
  return { files: prepared, metadata };
}

async function prepareFile(
  { url, apiKey, projectId }: Connection,
  { slug, route, metadata }: { slug: string; route: RouteDefinition; metadata: Record<string, unknown> },
  { name, size, type, lastModified, customId }: FileToUpload & FileOverride,
  kind: FileKind,
): Promise<PreparedFile> {
  const { options, config } = route;
  const key = newKey();
  const { minWidth, maxWidth, minHeight, maxHeight } = config.get(kind) ?? {};
  const types = typesOf(kind);
  const terms = {
    ...(options.path === undefined ? {} : { path: fillPath(options.path, { slug, key, name, metadata }) }),
    ...(options.bucket === undefined ? {} : { bucketId: options.bucket }),
    ...(types === null ? {} : { types }),
    ...{ minWidth, maxWidth, minHeight, maxHeight },
  };
  const values: Record<string, string | undefined> = {
    'x-ut-identifier': projectId,
    'x-ut-file-name': name,
    'x-ut-file-size': String(size),
    'x-ut-file-type': type || undefined,
    'x-ut-slug': slug,
    'x-ut-custom-id': customId,
    'x-ut-acl': options.visibility && (options.visibility === 'public' ? 'public-read' : 'private'),
    'x-ut-last-modified': lastModified === undefined ? undefined : String(Math.trunc(lastModified)),
    'x-carcosa-route': JSON.stringify(terms),
  };
  const address = new URL(`${url}/uploadthing/ingest/${key}`);
  address.searchParams.append('expires', String(present() + (options.expiresIn ?? DEFAULT_SECONDS) * 1000));
  for (const [parameter, value] of Object.entries(values)) {
    if (value !== undefined) address.searchParams.append(parameter, encodeURIComponent(value.toWellFormed()));
  }
  address.searchParams.append('signature', await sign(address.href, apiKey));
  return { url: address.href, key, name, customId: customId ?? null };
}

/** @throws UploadError `invalid_request` */
function readBody(body: unknown): { files: FileToUpload[]; input: unknown } {
  const { files, input } = (typeof body === 'object' && body !== null ? body : {}) as {
    files?: unknown;
    input?: unknown;
  };
  if (!Array.isArray(files) || files.length === 0 || !files.every(isFile)) {
    throw invalid('Say which files you want to upload: {"files": [{"name", "size", "type"}], "input"}.');
  }
  if (files.length > MAX_FILES) throw invalid(`At most ${MAX_FILES} files may be asked for at once.`);
  return { files, input: input ?? undefined };
}

function isFile(file: unknown): file is FileToUpload {
  if (typeof file !== 'object' || file === null) return false;
  const { name, size, type, lastModified } = file as Record<string, unknown>;
  return (
    typeof name === 'string' &&
    name !== '' &&
    name.length <= 1024 &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0 &&
    typeof type === 'string' &&
    type.length <= 255 &&
    (lastModified === undefined || typeof lastModified === 'number')
  );
}

async function parseInput({ schema }: RouteDefinition, input: unknown): Promise<unknown> {
  if (!schema) return undefined;
  const result = await schema['~standard'].validate(input);
  if (result.issues) {
    const details = result.issues.map((issue) => ({ field: pathOf(issue), message: issue.message }));
    const [first] = details;
    throw invalid(
      `The input is not as the route wants it: ${first?.field ? `${first.field}: ` : ''}${first?.message}`,
      details,
    );
  }
  return result.value;
}

function pathOf({ path = [] }: StandardIssue): string {
  return path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
}

const invalid = (message: string, details?: unknown): UploadError =>
  new UploadError(message, { code: 'invalid_request', status: 400, details });

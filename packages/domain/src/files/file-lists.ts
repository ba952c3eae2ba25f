import type {
  File,
  FileSort,
  FileVersion,
  Folder,
  ListFilesQuery,
  ListFoldersQuery,
  ListVersionsQuery,
  Page,
} from '@carcosa/contracts';
import {
  type FactsFilter,
  type FileListing,
  type FilePosition,
  findFile,
  listFiles,
  listFileVersions,
  listFolders,
  type Queryable,
} from '@carcosa/database';
import { CarcosaError, isId } from '@carcosa/kernel';
import { labOfHex } from '@carcosa/media';
import { type Access, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { covers, type Grant, isConfined, mayPlace } from '../access/grant.ts';
import { type CursorValue, decodeCursor, encodeCursor } from './cursor.ts';

/** JSON that is passed on as it is. */
export type JsonText = string;

export interface FileListsParts {
  db: Queryable;
  access: Access;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** Everything of files that comes in pages. Asks for `files:read`; every method throws `invalid_request` for a foreign cursor. */
export class FileLists {
  readonly #parts: FileListsParts;

  constructor(parts: FileListsParts) {
    this.#parts = parts;
  }

  /** A page of files as JSON text, as PostgreSQL wrote it: the hottest list there is. */
  async files(actor: Actor, query: ListFilesQuery): Promise<JsonText> {
    const grant = await this.#allowed(actor, query);
    const { projectId } = grant;
    const list = `files ${query.status} ${query.sort}`;
    const { items, hasMore } = await listFiles(
      this.#parts.db,
      { ...toListing(query, list), projectId, ...within(grant, query) },
      this.#parts.publicUrl,
    );
    const last = hasMore ? items.at(-1) : undefined;
    const nextCursor = last === undefined ? null : encodeCursor(list, positionOf(JSON.parse(last), query.sort));
    return `{"items":[${items.join(',')}],"nextCursor":${JSON.stringify(nextCursor)},"hasMore":${hasMore}}`;
  }

  /** The immediate subfolders of a folder; what they cost is said at {@link listFolders}. */
  async folders(actor: Actor, query: ListFoldersQuery): Promise<Page<Folder>> {
    const grant = await this.#allowed(actor, query);
    const { projectId } = grant;
    const { limit, cursor } = query;
    const folder = query.folder === '' ? grant.pathPrefix : query.folder;
    if (!isBelow(grant, folder)) return { items: [], nextCursor: null, hasMore: false };
    const { tenantId } = within(grant, query);
    const list = `folders ${folder}`;
    const [after] = cursor === undefined ? [] : decodeCursor(list, cursor, ['']);
    const folders = await listFolders(this.#parts.db, { projectId, folder, limit, after, tenantId });
    return toPage(folders, limit, (last) => encodeCursor(list, [last.name]));
  }

  /** The versions of a file, newest first. @throws CarcosaError `not_found` */
  async versions(actor: Actor, query: ListVersionsQuery & { id: string }): Promise<Page<FileVersion>> {
    const grant = await this.#allowed(actor, query);
    const { projectId } = grant;
    const { id, limit, cursor } = query;
    if (!isId('file', id)) throw new CarcosaError('not_found');
    if (isConfined(grant)) {
      const file = await findFile(this.#parts.db, projectId, id, this.#parts.publicUrl);
      if (!file || !covers(grant, file)) throw new CarcosaError('not_found');
    }
    const [before] = cursor === undefined ? [] : decodeCursor('versions', cursor, [0]);
    const versions = await listFileVersions(this.#parts.db, { projectId, id, limit, before }, this.#parts.publicUrl);
    if (!versions) throw new CarcosaError('not_found');
    return toPage(versions, limit, (last) => encodeCursor('versions', [last.version]));
  }

  async #allowed(actor: Actor, query: { projectId?: string | undefined }): Promise<Grant> {
    return await this.#parts.access.authorize(actor, 'files:read', projectOf(actor, query.projectId));
  }
}

/** Whether the folder is the one that the actor is confined to, or one of its folders. */
const isBelow = (grant: Grant, folder: string): boolean => folder === grant.pathPrefix || mayPlace(grant, folder);

/** The tenant that is asked for, if it is the actor's to ask for, and the folder that the actor is confined to. */
function within(grant: Grant, { tenantId }: { tenantId?: string | undefined }) {
  if (grant.tenantId !== null && tenantId !== undefined && tenantId !== grant.tenantId)
    throw new CarcosaError('not_found');
  return { tenantId: grant.tenantId ?? tenantId, pathPrefix: grant.pathPrefix };
}

function toPage<Item>(found: Item[], limit: number, cursorOf: (last: Item) => string): Page<Item> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const hasMore = found.length > limit;
  return { items, nextCursor: hasMore && last !== undefined ? cursorOf(last) : null, hasMore };
}

function toListing(query: ListFilesQuery, list: string): Omit<FileListing, 'projectId'> {
  const { cursor, createdAfter, createdBefore, q, projectId: _projectId, tenantId: _tenantId, ...rest } = query;
  return {
    ...rest,
    createdAfter: createdAfter === undefined ? undefined : Date.parse(createdAfter),
    createdBefore: createdBefore === undefined ? undefined : Date.parse(createdBefore),
    nameContains: q,
    facts: factsFilter(query),
    after: cursor === undefined ? undefined : readPosition(list, cursor, query.sort),
  };
}

/** What is asked of the contents; undefined where nothing is. */
function factsFilter(query: ListFilesQuery): FactsFilter | undefined {
  const { minDuration, maxDuration, minWidth, maxWidth, minHeight, maxHeight, orientation, text } = query;
  const { color, colorDistance, similarTo, maxDifference } = query;
  const filter = {
    ...{ minDuration, maxDuration, minWidth, maxWidth, minHeight, maxHeight, orientation, text },
    ...(color === undefined ? {} : { color: { lab: labOfHex(color), distance: colorDistance } }),
    ...(similarTo === undefined ? {} : { similar: { hash: similarTo, difference: maxDifference } }),
  };
  return Object.values(filter).some((value) => value !== undefined) ? filter : undefined;
}

const fieldOf = (sort: FileSort) => sort.replace('-', '') as 'createdAt' | 'updatedAt' | 'name' | 'size' | 'path';
const isText = (sort: FileSort): boolean => ['name', 'path'].includes(fieldOf(sort));

function positionOf(file: File, sort: FileSort): CursorValue[] {
  const field = fieldOf(sort);
  const value = field === 'createdAt' || field === 'updatedAt' ? Date.parse(file[field]) : file[field];
  return [value, file.id];
}

function readPosition(list: string, cursor: string, sort: FileSort): FilePosition {
  const [value, id] = isText(sort) ? decodeCursor(list, cursor, ['', '']) : decodeCursor(list, cursor, [0, '']);
  return { value, id };
}

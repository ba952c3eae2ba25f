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
  type FileListing,
  type FilePosition,
  listFiles,
  listFileVersions,
  listFolders,
  type Queryable,
} from '@carcosa/database';
import { CarcosaError, isId } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { authorize, projectOf } from '../access/authorize.ts';
import { type CursorValue, decodeCursor, encodeCursor } from './cursor.ts';

/** JSON that is passed on as it is. */
export type JsonText = string;

export interface FileListsParts {
  db: Queryable;
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
    const projectId = projectOf(actor, query.projectId);
    authorize(actor, 'files:read', projectId);
    const list = `files ${query.status} ${query.sort}`;
    const { items, hasMore } = await listFiles(
      this.#parts.db,
      { ...toListing(query, list), projectId },
      this.#parts.publicUrl,
    );
    const last = hasMore ? items.at(-1) : undefined;
    const nextCursor = last === undefined ? null : encodeCursor(list, positionOf(JSON.parse(last), query.sort));
    return `{"items":[${items.join(',')}],"nextCursor":${JSON.stringify(nextCursor)},"hasMore":${hasMore}}`;
  }

  /** The immediate subfolders of a folder; what they cost is said at {@link listFolders}. */
  async folders(actor: Actor, query: ListFoldersQuery): Promise<Page<Folder>> {
    const projectId = projectOf(actor, query.projectId);
    authorize(actor, 'files:read', projectId);
    const { folder, limit, cursor } = query;
    const list = `folders ${folder}`;
    const [after] = cursor === undefined ? [] : decodeCursor(list, cursor, ['']);
    const folders = await listFolders(this.#parts.db, { projectId, folder, limit, after });
    return toPage(folders, limit, (last) => encodeCursor(list, [last.name]));
  }

  /** The versions of a file, newest first. @throws CarcosaError `not_found` */
  async versions(actor: Actor, query: ListVersionsQuery & { id: string }): Promise<Page<FileVersion>> {
    const projectId = projectOf(actor, query.projectId);
    authorize(actor, 'files:read', projectId);
    const { id, limit, cursor } = query;
    if (!isId('file', id)) throw new CarcosaError('not_found');
    const [before] = cursor === undefined ? [] : decodeCursor('versions', cursor, [0]);
    const versions = await listFileVersions(this.#parts.db, { projectId, id, limit, before }, this.#parts.publicUrl);
    if (!versions) throw new CarcosaError('not_found');
    return toPage(versions, limit, (last) => encodeCursor('versions', [last.version]));
  }
}

function toPage<Item>(found: Item[], limit: number, cursorOf: (last: Item) => string): Page<Item> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const hasMore = found.length > limit;
  return { items, nextCursor: hasMore && last !== undefined ? cursorOf(last) : null, hasMore };
}

function toListing(query: ListFilesQuery, list: string): Omit<FileListing, 'projectId'> {
  const { cursor, createdAfter, createdBefore, q, projectId: _projectId, ...rest } = query;
  return {
    ...rest,
    createdAfter: createdAfter === undefined ? undefined : Date.parse(createdAfter),
    createdBefore: createdBefore === undefined ? undefined : Date.parse(createdBefore),
    nameContains: q,
    after: cursor === undefined ? undefined : readPosition(list, cursor, query.sort),
  };
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

import type {
  BulkFilesBody,
  BulkResult,
  CopyFileBody,
  File,
  FileDetail,
  FileVersion,
  Folder,
  ListFilesQuery,
  ListFoldersQuery,
  ListVersionsQuery,
  Page,
  Permission,
  RestoreFileBody,
  UpdateFileBody,
} from '@carcosa/contracts';
import { findFileDetail, holdFiles, restoreFileVersion } from '@carcosa/database';
import { CarcosaError, type FileId, isId, type TenantId } from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import { type Actor, actorId } from '../access/actor.ts';
import { assertCovers, type Grant } from '../access/grant.ts';
import { bulkFiles, bulkPermission } from './bulk-files.ts';
import { inTrash } from './change-plan.ts';
import { recordFiles, restoreVersionEvent } from './file-audit.ts';
import { FileChanges, type FileChangesParts, fileOf } from './file-changes.ts';
import { FileLists, type JsonText } from './file-lists.ts';

/** Names one file. The project is needed only of an actor that is not bound to one. */
export interface FileTarget {
  id: string;
  projectId?: string | undefined;
}

export interface FileServiceParts extends FileChangesParts {
  access: Access;
}

/**
 * Reads and changes the files of a project. Every method throws `not_found` for files and projects that the actor may not know
 * of, and `forbidden` without the permission. Whatever changes is announced to the caches of all processes when it is committed.
 */
export class FileService {
  readonly #parts: FileServiceParts;
  readonly #changes: FileChanges;
  readonly #lists: FileLists;

  constructor(parts: FileServiceParts) {
    this.#parts = parts;
    this.#changes = new FileChanges(parts);
    this.#lists = new FileLists(parts);
  }

  /** A page of files, as JSON text of the contract's page. */
  list(actor: Actor, query: ListFilesQuery): Promise<JsonText> {
    return this.#lists.files(actor, query);
  }

  listFolders(actor: Actor, query: ListFoldersQuery): Promise<Page<Folder>> {
    return this.#lists.folders(actor, query);
  }

  listVersions(actor: Actor, query: ListVersionsQuery & { id: string }): Promise<Page<FileVersion>> {
    return this.#lists.versions(actor, query);
  }

  /** A file, live or in the trash, with what is known of its content. */
  async get(actor: Actor, target: FileTarget): Promise<FileDetail> {
    const grant = await this.#allowed(actor, 'files:read', target);
    const file = await findFileDetail(this.#parts.db, grant.projectId, fileId(target), this.#parts.publicUrl);
    if (!file) throw new CarcosaError('not_found');
    assertCovers(grant, file);
    return file;
  }

  /**
   * Renames or moves a live file, or changes its visibility, metadata or tags.
   * @throws CarcosaError `path_taken`, `invalid_path` when a new name makes the path too long, `conflict` for one in the trash
   */
  async update(actor: Actor, target: FileTarget, { name, ...change }: UpdateFileBody): Promise<File> {
    const grant = await this.#allowed(actor, 'files:write', target);
    const [outcome] = await this.#changes.change({ actor, grant }, 'live', [
      { ...change, rename: name, id: target.id },
    ]);
    return fileOf(outcome);
  }

  /** Makes a new file of the present content of a live one; both share the bytes. @throws CarcosaError `path_taken`, `conflict` */
  async copy(actor: Actor, target: FileTarget, { path }: CopyFileBody): Promise<File> {
    const grant = await this.#allowed(actor, 'files:write', target);
    const [outcome] = await this.#changes.copy({ actor, grant }, [{ id: target.id, path }]);
    return fileOf(outcome);
  }

  /** Moves a file to the trash; one that is there already stays as it is. */
  async trash(actor: Actor, target: FileTarget): Promise<File> {
    const grant = await this.#allowed(actor, 'files:delete', target);
    const [outcome] = await this.#changes.trash({ actor, grant }, [target]);
    return fileOf(outcome);
  }

  /** Removes a file with all of its versions for good, from the trash or not. @returns the file as it was */
  async purge(actor: Actor, target: FileTarget): Promise<File> {
    const grant = await this.#allowed(actor, 'files:delete', target);
    const [outcome] = await this.#changes.purge({ actor, grant }, [target]);
    return fileOf(outcome);
  }

  /** Takes a file out of the trash; a live one stays as it is. @throws CarcosaError `path_taken`; then restore it to another path */
  async restore(actor: Actor, target: FileTarget, { path }: RestoreFileBody = {}): Promise<File> {
    const grant = await this.#allowed(actor, 'files:write', target);
    const [outcome] = await this.#changes.change({ actor, grant }, 'trashed', [{ id: target.id, path }]);
    return fileOf(outcome);
  }

  /**
   * Makes the content of an earlier version the present one, as a new version; the present version itself is left as it is.
   * @throws CarcosaError `conflict` for a file in the trash, `quota_exceeded`
   */
  async restoreVersion(actor: Actor, target: FileTarget & { version: number }): Promise<File> {
    const grant = await this.#allowed(actor, 'files:write', target);
    const { projectId } = grant;
    const id = fileId(target);
    const { transaction, clock, publicUrl, quotas } = this.#parts;
    const file = await transaction(async (tx) => {
      const [held] = await holdFiles(tx, projectId, [id]);
      if (held) assertCovers(grant, held);
      if (held?.isLive === false) throw inTrash();
      const restore = { projectId, id, version: target.version, by: actorId(actor), now: clock.now() };
      const restored = await restoreFileVersion(tx, restore, publicUrl);
      // The present version stays as it is: then nothing was done.
      if (held && restored && restored.version !== held.version) {
        await recordFiles(tx, { actor, projectId, clock }, [restoreVersionEvent(held, restored, target.version)]);
        await quotas?.assertStored(tx, projectId, [restored.tenantId as TenantId | null], ['bytes']);
      }
      return restored;
    });
    if (file) this.#changes.changed([file]);
    return fileOf(file ?? undefined);
  }

  /** Up to 1,000 files at once: a result for each item, in their order; one that fails does not touch the others. */
  async bulk(actor: Actor, body: BulkFilesBody, options: { projectId?: string | undefined } = {}): Promise<BulkResult> {
    const grant = await this.#allowed(actor, bulkPermission(body.action), options);
    return await bulkFiles(this.#changes, { actor, grant }, body);
  }

  async #allowed(actor: Actor, permission: Permission, target: { projectId?: string | undefined }): Promise<Grant> {
    return await this.#parts.access.authorize(actor, permission, projectOf(actor, target.projectId));
  }
}

function fileId({ id }: FileTarget): FileId {
  if (!isId('file', id)) throw new CarcosaError('not_found');
  return id;
}

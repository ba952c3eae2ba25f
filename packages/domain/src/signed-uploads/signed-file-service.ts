import {
  findNamedFiles,
  findProjectQuotas,
  isUniqueViolation,
  type ListedFile,
  listSignedFiles,
  type NamedFile,
  type Queryable,
  renameSignedFile,
  type SignedFileScope,
  sumFiles,
} from '@carcosa/database';
import { CarcosaError, type Clock } from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { FileService } from '../files/file-service.ts';
import type { ServingService } from '../serving/serving-service.ts';
import type { FileAddresses, Settlement } from './settlement.ts';
import { fileNameOf } from './signed-upload-service.ts';

/** Files as an app names them: by keys, or by ids of its own. */
export type FileNames = { fileKeys: readonly string[] } | { customIds: readonly string[] };
/** One of them. */
export type FileName = { fileKey: string } | { customId: string };

export type NameChange = FileName & { newName?: string | undefined; newCustomId?: string | undefined };
export type VisibilityChange = FileName & { visibility: 'public' | 'private' };

export interface SignedFileServiceParts {
  db: Queryable;
  clock: Clock;
  access: Access;
  files: FileService;
  serving: ServingService;
  settlement: Settlement;
}

/** The files of an app, as UploadThing's clients ask for them. All of a project count, by whichever door they came. */
export class SignedFileService {
  readonly #parts: SignedFileServiceParts;

  constructor(parts: SignedFileServiceParts) {
    this.#parts = parts;
  }

  /** Removes files for good, with all of their versions: who asks has promised somebody that they are gone. @returns how many */
  async remove(actor: Actor, names: FileNames): Promise<number> {
    const found = await this.#find(actor, 'files:delete', names);
    if (found.length === 0) return 0;
    const items = found.map(({ id }) => ({ id }));
    const { results } = await this.#parts.files.bulk(actor, { action: 'purge', items });
    return results.filter(({ ok }) => ok).length;
  }

  /** In the order in which they were asked for; what is not there is left out. */
  async addresses(actor: Actor, names: FileNames): Promise<({ key: string } & FileAddresses)[]> {
    const found = await this.#find(actor, 'files:read', names);
    const live = new Map(found.filter(({ isLive }) => isLive).map((file) => [nameIn(names, file), file]));
    return listOf(names).flatMap((name) => {
      const file = live.get(name);
      return file ? [{ key: file.key, ...this.#parts.settlement.addressesOf(projectOf(actor), file.key) }] : [];
    });
  }

  /** Newest first. */
  async list(
    actor: Actor,
    page: { limit: number; offset: number },
  ): Promise<{ hasMore: boolean; files: ListedFile[] }> {
    const scope = await this.#scope(actor, 'files:read');
    const files = await listSignedFiles(this.#parts.db, scope, page);
    return { hasMore: files.length > page.limit, files: files.slice(0, page.limit) };
  }

  /** @throws CarcosaError `not_found` for a name that nothing has (nothing is changed then), `conflict` for an id that something has */
  async rename(actor: Actor, changes: readonly NameChange[]): Promise<void> {
    const targets = await this.#targets(actor, changes);
    const { db, clock, files } = this.#parts;
    for (const [position, { newName, newCustomId }] of changes.entries()) {
      const file = targets[position] as NamedFile;
      if (newName !== undefined) await files.update(actor, { id: file.id }, { name: fileNameOf(newName) });
      const named = { projectId: projectOf(actor), id: file.id, key: file.key };
      try {
        await renameSignedFile(db, named, { name: newName, customId: newCustomId }, new Date(clock.now()));
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new CarcosaError('conflict', {
          message: `Another file has the custom id "${newCustomId}".`,
          cause: error,
        });
      }
    }
  }

  /** @throws CarcosaError `not_found` for a name that nothing has: nothing is changed then */
  async setVisibility(actor: Actor, changes: readonly VisibilityChange[]): Promise<void> {
    const targets = await this.#targets(actor, changes);
    for (const [position, { visibility }] of changes.entries()) {
      await this.#parts.files.update(actor, { id: (targets[position] as NamedFile).id }, { visibility });
    }
  }

  /** @param expiresIn seconds */
  async sign(actor: Actor, name: FileName, expiresIn: number): Promise<string> {
    const [file] = await this.#targets(actor, [name], 'files:read');
    return (await this.#parts.serving.sign(actor, (file as NamedFile).id, { expiresIn, download: false })).url;
  }

  /** What is stored, in bytes; the limit is that of the project or organization, null where there is none. */
  async usage(actor: Actor): Promise<{ files: number; bytes: number; limit: number | null }> {
    const scope = await this.#scope(actor, 'usage:read');
    const [stored, quotas] = await Promise.all([
      sumFiles(this.#parts.db, scope),
      findProjectQuotas(this.#parts.db, scope.projectId),
    ]);
    const limits = [quotas?.project.bytes, quotas?.organization.bytes].filter((limit) => typeof limit === 'number');
    return { ...stored, limit: limits.length > 0 ? Math.min(...limits) : null };
  }

  /** Live files, one for each name. */
  async #targets(
    actor: Actor,
    names: readonly FileName[],
    permission: 'files:read' | 'files:write' = 'files:write',
  ): Promise<NamedFile[]> {
    const keys = names.flatMap((name) => ('fileKey' in name ? [name.fileKey] : []));
    const customIds = names.flatMap((name) => ('customId' in name ? [name.customId] : []));
    const byKey = await this.#find(actor, permission, { fileKeys: keys });
    const byId = await this.#find(actor, permission, { customIds });
    return names.map((name) => {
      const found =
        'fileKey' in name
          ? byKey.find(({ key }) => key === name.fileKey)
          : byId.find(({ customId }) => customId === name.customId);
      if (found?.isLive) return found;
      const text = 'fileKey' in name ? name.fileKey : name.customId;
      throw new CarcosaError('not_found', { message: `There is no file "${text}" that you may see.` });
    });
  }

  async #find(actor: Actor, permission: 'files:read' | 'files:write' | 'files:delete', names: FileNames) {
    const scope = await this.#scope(actor, permission);
    if (listOf(names).length === 0) return [];
    return await findNamedFiles(
      this.#parts.db,
      scope,
      'fileKeys' in names ? { keys: names.fileKeys } : { customIds: names.customIds },
    );
  }

  async #scope(
    actor: Actor,
    permission: 'files:read' | 'files:write' | 'files:delete' | 'usage:read',
  ): Promise<SignedFileScope> {
    return await this.#parts.access.authorize(actor, permission, projectOf(actor));
  }
}

const listOf = (names: FileNames): readonly string[] => ('fileKeys' in names ? names.fileKeys : names.customIds);

const nameIn = (names: FileNames, { key, customId }: NamedFile): string =>
  'fileKeys' in names ? key : (customId ?? '');

import type { FileFactsDetail } from '@carcosa/contracts';
import {
  findFacts,
  findFile,
  findFilesOfObject,
  findMediaObject,
  hasFacts,
  insertFacts,
  type MediaObjectRow,
  type Queryable,
  recordAudit,
} from '@carcosa/database';
import { CarcosaError, type Clock, type FileId, isId, type Logger } from '@carcosa/kernel';
import {
  containerOf,
  type FactsFound,
  type FactsTask,
  labOfHex,
  MediaFailure,
  type MediaPrograms,
  mediaFacts,
  probeMedia,
} from '@carcosa/media';
import { type Access, projectOf } from '../access/access.ts';
import { type Actor, SYSTEM } from '../access/actor.ts';
import { assertCovers } from '../access/grant.ts';
import { auditEntry } from '../audit/audit-entry.ts';
import type { SourceAccess } from './source-access.ts';
import type { WorkFolders } from './work-folders.ts';

export interface FactsServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  access: Access;
  clock: Clock;
  logger: Logger;
  sources: SourceAccess;
  folders: WorkFolders;
  reader: { read(task: FactsTask): Promise<FactsFound> };
  /** Where FFmpeg is. @throws CarcosaError `program_missing` */
  programs(): MediaPrograms;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** Pictures whose facts the library reads; what else is one says nothing of itself. */
const PICTURES: ReadonlySet<string> = new Set([
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/avif',
  'image/gif',
  'image/tiff',
]);
/** Bytes of a picture or document that is read. */
const MAX_BYTES = 128 * 1024 * 1024;

/** Reads what contents say of themselves, and tells it. */
export class FactsService {
  readonly #parts: FactsServiceParts;

  constructor(parts: FactsServiceParts) {
    this.#parts = parts;
  }

  /** Whether files of a type say anything of themselves. */
  static hasFacts(contentType: string): boolean {
    return PICTURES.has(contentType) || contentType === 'application/pdf' || containerOf(contentType) !== null;
  }

  /** All that is known of a file. @throws CarcosaError `not_found`, `forbidden` */
  async get(actor: Actor, target: { id: string; projectId?: string | undefined }): Promise<FileFactsDetail> {
    const { db, access, publicUrl } = this.#parts;
    const grant = await access.authorize(actor, 'files:read', projectOf(actor, target.projectId));
    const file = isId('file', target.id) ? await findFile(db, grant.projectId, target.id, publicUrl) : null;
    if (!file) throw new CarcosaError('not_found');
    assertCovers(grant, file);
    return await findFacts(db, target.id as FileId);
  }

  /**
   * Reads and stores the facts of a content. For the job `read-facts`: doing it twice does no harm.
   * @throws CarcosaError what the bucket says
   */
  async read(objectId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    const { db } = this.#parts;
    const object = isId('object', objectId) ? await findMediaObject(db, objectId) : null;
    if (
      !object ||
      object.quarantine !== null ||
      !FactsService.hasFacts(object.contentType) ||
      (await hasFacts(db, object.id))
    )
      return;
    const found = await this.#find(object, signal);
    if (found) await this.#store(object, found);
  }

  /** Null where it cannot be known here. */
  async #find(object: MediaObjectRow, signal: AbortSignal): Promise<FactsFound | null> {
    const { contentType } = object;
    if (PICTURES.has(contentType)) return await this.#readFile(object, 'image', signal);
    if (contentType === 'application/pdf') return await this.#readFile(object, 'document', signal);
    return await this.#probe(object, signal);
  }

  async #readFile(object: MediaObjectRow, kind: FactsTask['kind'], signal: AbortSignal): Promise<FactsFound> {
    const { folders, sources, reader } = this.#parts;
    if (object.size > MAX_BYTES) return unknown(kind, `it is larger than ${MAX_BYTES} bytes`);
    return await folders.use(async (folder) => {
      const file = await sources.file(object, folder, signal);
      return await reader.read({ file, kind });
    });
  }

  async #probe(object: MediaObjectRow, signal: AbortSignal): Promise<FactsFound | null> {
    const { folders, sources, logger } = this.#parts;
    const kind = containerOf(object.contentType)?.kind === 'audio' ? 'audio' : 'video';
    try {
      const programs = this.#parts.programs();
      const probe = await folders.use((folder) =>
        sources.media(object, (source) => probeMedia(programs, source, { folder, signal })),
      );
      return { facts: mediaFacts(probe), location: null, text: null };
    } catch (error) {
      if (error instanceof MediaFailure && error.fault !== 'aborted') return unknown(kind, error.message);
      if (!(error instanceof CarcosaError) || error.code !== 'program_missing') throw error;
      logger.warn({ objectId: object.id }, `facts of a file are not read: ${error.message}`);
      return null;
    }
  }

  async #store(object: MediaObjectRow, { facts, location, text }: FactsFound): Promise<void> {
    const { transaction, clock } = this.#parts;
    const { id: objectId, projectId } = object;
    const hex = facts.colors?.[0]?.hex;
    const lab = hex === undefined ? null : labOfHex(hex);
    await transaction(async (tx) => {
      if (!(await insertFacts(tx, { objectId, projectId, facts, location, text, lab, now: clock.now() }))) return;
      const files = await findFilesOfObject(tx, objectId);
      const entries = files.map(({ id, tenantId, path }) => {
        const resource = { type: 'file', id } as const;
        const place = { projectId, tenantId };
        return auditEntry(SYSTEM, { action: 'file.analyze', resource, place, after: { path, facts } }, clock);
      });
      await recordAudit(tx, entries);
    });
  }
}

function unknown(kind: FactsFound['facts']['kind'], problem: string): FactsFound {
  return { facts: { kind, problem }, location: null, text: null };
}

import type { File, Findings, Inspection } from '@carcosa/contracts';
import { findFile, findSource, type Queryable, type SourceRow, setQuarantine } from '@carcosa/database';
import { CarcosaError, type Clock, isCarcosaError, isId } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { FileService } from '../files/file-service.ts';
import type { ServingService } from '../serving/serving-service.ts';
import type { Inspector } from './inspector.ts';
import { recordVerdict } from './scan-service.ts';

export interface InspectionServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  files: Pick<FileService, 'update'>;
  serving: Pick<ServingService, 'sign'>;
  /** By the names that rules give. */
  inspectors: ReadonlyMap<string, Inspector>;
  publicUrl: string;
}

/** Seconds that an inspector has to fetch the content. */
const ADDRESS_SECONDS = 15 * 60;
const MAX_TAGS = 50;

/** Has files looked at by inspectors, and does what they say. */
export class InspectionService {
  readonly #parts: InspectionServiceParts;

  constructor(parts: InspectionServiceParts) {
    this.#parts = parts;
  }

  /**
   * For the job `inspect-file`: a file that has gone, or has another content by now, is looked at no more.
   * @throws Error where the inspector cannot say now
   */
  async inspect(
    { fileId, version, inspection }: { fileId: string; version: number; inspection: Inspection },
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    const { db, serving, inspectors, publicUrl } = this.#parts;
    const source = isId('file', fileId) ? await findSource(db, fileId, version) : null;
    const file = source && (await findFile(db, source.projectId, source.fileId, publicUrl));
    if (!source || file?.version !== version || source.quarantine !== null) return;
    const inspector = inspectors.get(inspection.use);
    if (!inspector)
      throw new CarcosaError('invalid_request', { message: `There is no inspector "${inspection.use}".` });
    const { url } = await serving.sign(SYSTEM, fileId, { expiresIn: ADDRESS_SECONDS, download: false, version });
    const { projectId, path, size, contentType } = source;
    const findings = await inspector.inspect(
      { id: fileId, projectId, path, version, size, contentType, url },
      inspection,
      { signal },
    );
    await this.#apply(source, file, findings, inspection);
  }

  async #apply(source: SourceRow, file: File, findings: Findings, { use }: Inspection): Promise<void> {
    const { transaction, clock, files } = this.#parts;
    const { projectId, tenantId, fileId: id, path } = source;
    const { tags, metadata, reject } = findings;
    await transaction(async (tx) => {
      const resource = { type: 'file', id } as const;
      const event = { action: 'file.inspect', resource, place: { projectId, tenantId } } as const;
      await record(tx, clock, SYSTEM, { ...event, after: { path, findings, by: use } });
      if (reject === undefined) return;
      const object = { id: source.objectId, projectId };
      await setQuarantine(tx, object.id, { state: 'rejected', reason: reject });
      await recordVerdict(tx, { object, clock, state: 'rejected', reason: reject, by: use });
    });
    if (!tags && !metadata) return;
    const change = {
      ...(tags ? { tags: [...new Set([...file.tags, ...tags])].slice(0, MAX_TAGS) } : {}),
      ...(metadata ? { metadata: { ...file.metadata, ...metadata } } : {}),
    };
    await files.update(SYSTEM, { id, projectId }, change).catch((error: unknown) => {
      // Moved to the trash meanwhile.
      if (!isCarcosaError(error, 'not_found') && !isCarcosaError(error, 'conflict')) throw error;
    });
  }
}

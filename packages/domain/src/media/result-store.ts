import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { File, MadeFileView, MediaStep, Visibility } from '@carcosa/contracts';
import { insertFileOrigin, type JobId, type Queryable, type SourceRow } from '@carcosa/database';
import { CarcosaError, type Clock } from '@carcosa/kernel';
import type { MadeFile } from '@carcosa/media';
import { SYSTEM } from '../access/actor.ts';
import type { UploadService } from '../uploads/upload-service.ts';
import { resultPath } from './result-paths.ts';

export interface ResultStoreParts {
  db: Queryable;
  clock: Clock;
  uploads: Pick<UploadService, 'createAndWrite'>;
}

/** What results belong to. */
export interface ResultOf {
  readonly source: SourceRow;
  readonly jobId: JobId;
  readonly step: MediaStep;
  /** See `PathTemplate` of the contracts; null: a new version of the source itself. */
  readonly template: string | null;
}

/** Files what transforms have made, as uploads are filed: held to quotas, hashed, durable, told as events. */
export class ResultStore {
  readonly #parts: ResultStoreParts;

  constructor(parts: ResultStoreParts) {
    this.#parts = parts;
  }

  /**
   * Files what a step has made, what is referred to before what refers to it.
   * @param folder where the files lie
   * @throws CarcosaError `quota_exceeded`, `invalid_path`, and what else the end of an upload can be
   */
  async keep(files: readonly MadeFile[], folder: string, of: ResultOf): Promise<MadeFileView[]> {
    const kept = new Map<string, File>();
    for (const file of files) {
      if (file.links) await this.#link(join(folder, file.name), file.links, kept);
      kept.set(file.name, await this.#keepOne(file, folder, of));
    }
    return [...kept.values()].map(({ id, version, path, url, contentType, size }) => ({
      id,
      version,
      path,
      url,
      contentType,
      size,
    }));
  }

  async #keepOne(made: MadeFile, folder: string, { source, jobId, step, template }: ResultOf): Promise<File> {
    const { db, clock, uploads } = this.#parts;
    const file = join(folder, made.name);
    const { size } = await stat(file);
    const body = createReadStream(file);
    const { file: kept } = await uploads.createAndWrite(
      SYSTEM,
      {
        door: 'simple',
        // Nothing more is made of it by itself.
        doorState: { by: 'transform' },
        projectId: source.projectId,
        path: template === null ? source.path : resultPath(template, source, made.suffix),
        ...(source.tenantId === '' ? {} : { tenantId: source.tenantId }),
        size,
        contentType: made.contentType,
        visibility: source.visibility as Visibility,
      },
      { body, length: size },
    );
    if (!kept) throw new CarcosaError('internal_error');
    await insertFileOrigin(db, { fileId: kept.id, version: kept.version, source, jobId, step, now: clock.now() });
    return kept;
  }

  /**
   * Puts in place of names the addresses under which those files are served, relative to that of the text: its own is `/f/{key}` as well. With
   * their versions: a ladder that is made anew never mixes with what was there.
   */
  async #link(file: string, names: readonly string[], kept: ReadonlyMap<string, File>): Promise<void> {
    let text = await readFile(file, 'utf8');
    for (const name of names) {
      const { key = '', version = 1 } = kept.get(name) ?? {};
      const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      text = text.replace(new RegExp(`(?<=^|["\\s])${escaped}(?=["#\\s]|$)`, 'gm'), `${key}?v=${version}`);
    }
    await writeFile(file, text);
  }
}

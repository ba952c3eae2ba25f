import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DEFAULT_PATH_TEMPLATE,
  type MediaStep,
  parseTransformSteps,
  type StepOutcome,
  type VideoStep,
} from '@carcosa/contracts';
import type { JobId, SourceRow } from '@carcosa/database';
import { CarcosaError } from '@carcosa/kernel';
import {
  containerOf,
  type MediaPrograms,
  type MediaSource,
  makeMedia,
  probeMedia,
  type StepResult,
} from '@carcosa/media';
import type { Quotas } from '../quotas/quotas.ts';
import { formatOf, resolveFormat } from '../transforms/negotiate.ts';
import { type ImageEngine, MAX_SOURCE_BYTES } from '../transforms/transform-service.ts';
import { mediaError } from './media-errors.ts';
import { numbered } from './result-paths.ts';
import type { ResultStore } from './result-store.ts';
import type { SourceAccess } from './source-access.ts';

export interface StepMakerParts {
  sources: SourceAccess;
  results: ResultStore;
  engine: ImageEngine;
  quotas: Pick<Quotas, 'countTransform'>;
  /** Where FFmpeg is. @throws CarcosaError `program_missing` */
  programs(): MediaPrograms;
}

/** What is to be made of one content. */
export interface Making {
  readonly jobId: JobId;
  readonly source: SourceRow;
  readonly steps: readonly MediaStep[];
  readonly into: 'files' | 'versions';
  /** What was made already, by whoever had this job before. */
  readonly done: readonly StepOutcome[];
  /** An empty one, for this alone. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** @param done from 0 to 1, of all steps */
  onProgress(done: number, step: string): void;
  /** A step is done. */
  onStep(outcomes: readonly StepOutcome[]): Promise<void>;
}

/** @throws CarcosaError `file_quarantined` */
export function assertServable({ quarantine }: Pick<SourceRow, 'quarantine'>): void {
  if (quarantine !== null) throw new CarcosaError('file_quarantined', { details: { state: quarantine } });
}

/** Whether files of a type have a step. */
export function stepFits({ type }: MediaStep, contentType: string): boolean {
  return type === 'image' ? formatOf(contentType) !== null : containerOf(contentType) !== null;
}

/** @throws CarcosaError `unsupported_media_type` for a step that files of the type do not have */
export function assertStepFits(step: MediaStep, contentType: string): void {
  if (stepFits(step, contentType)) return;
  const message = `The step "${step.type}" is not for files of the type ${contentType}.`;
  throw new CarcosaError('unsupported_media_type', { message });
}

/** Makes what steps ask for, one after the other, and files it. */
export class StepMaker {
  readonly #parts: StepMakerParts;

  constructor(parts: StepMakerParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError of the first step that fails; what those before it have made stays */
  async make(making: Making): Promise<StepOutcome[]> {
    const { source, steps, jobId, into, folder, signal } = making;
    const outcomes = [...making.done];
    assertServable(source);
    for (let at = outcomes.length; at < steps.length; at++) {
      signal.throwIfAborted();
      const step = steps[at] as MediaStep;
      assertStepFits(step, source.contentType);
      await this.#parts.quotas.countTransform(source.projectId, source.tenantId);
      const own = join(folder, String(at));
      await mkdir(own);
      const onProgress = (done: number): void => making.onProgress((at + done) / steps.length, step.type);
      onProgress(0);
      const made = await this.#make(step, making, own, onProgress).catch((error: unknown) => {
        throw mediaError(error);
      });
      const number = 1 + steps.slice(0, at).filter((each) => isAlike(each, step)).length;
      const files = made.files.map((file) => ({ ...file, suffix: numbered(file.suffix, number) }));
      const template = into === 'versions' ? null : (step.path ?? DEFAULT_PATH_TEMPLATE);
      const kept = await this.#parts.results.keep(files, own, { source, jobId, step, template });
      outcomes.push({ type: step.type, files: kept, ...(made.data ? { data: made.data } : {}) });
      await making.onStep(outcomes);
    }
    return outcomes;
  }

  async #make(
    step: MediaStep,
    { source, signal }: Making,
    folder: string,
    onProgress: (done: number) => void,
  ): Promise<StepResult> {
    const { sources } = this.#parts;
    if (step.type === 'image') return await this.#makeImage(step.transform, source, folder, signal);
    const programs = this.#parts.programs();
    const make = async (media: MediaSource): Promise<StepResult> => {
      const probe = await probeMedia(programs, media, { folder, signal });
      return await makeMedia(programs, step as VideoStep, { source: media, probe, folder, signal, onProgress });
    };
    return await sources.media(source, make);
  }

  async #makeImage(steps: string, source: SourceRow, folder: string, signal: AbortSignal): Promise<StepResult> {
    const original = formatOf(source.contentType);
    if (original === null) throw new CarcosaError('unsupported_media_type');
    if (source.size > MAX_SOURCE_BYTES)
      throw new CarcosaError('image_too_large', { details: { maxBytes: MAX_SOURCE_BYTES } });
    const transform = resolveFormat(parseTransformSteps(steps), original, undefined);
    const file = await this.#parts.sources.file(source, folder, signal);
    const extension = transform.format === 'jpeg' ? 'jpg' : transform.format;
    const { width, height } = await this.#parts.engine.run({ source: file, target: join(folder, 'image'), transform });
    const contentType = `image/${transform.format}`;
    return { files: [{ name: 'image', suffix: `.${width}x${height}.${extension}`, contentType }] };
  }
}

/** Whether two steps would give equal names to their results. */
function isAlike(one: MediaStep, other: MediaStep): boolean {
  return one.type === other.type && one.path === other.path;
}

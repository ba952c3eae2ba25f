import type { ProcessLimits } from '../bounded/process-limits.ts';
import { MediaFailure } from './media-failure.ts';
import type { MediaProbe } from './probe.ts';
import type { MediaSource } from './source.ts';

/** A file that a step has made. */
export interface MadeFile {
  /** In the folder of the job. */
  readonly name: string;
  /** What its path ends with, after the template of the step: `.poster.jpg`. */
  readonly suffix: string;
  readonly contentType: string;
  /** Names in its text that stand for files before it: they become the addresses under which those are served. */
  readonly links?: readonly string[];
}

/** What a step has made: files, and what it found out. */
export interface StepResult {
  readonly files: readonly MadeFile[];
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface MediaTask {
  readonly source: MediaSource;
  readonly probe: MediaProbe;
  /** An empty folder of its own. */
  readonly folder: string;
  readonly limits?: ProcessLimits;
  readonly signal?: AbortSignal | undefined;
  /** Told how far the step is, from 0 to 1. */
  readonly onProgress?: (done: number) => void;
}

/** What a step needs to make its results. */
export interface StepContext extends MediaTask {
  readonly encoders: ReadonlySet<string>;
  /** Seconds; 0 where the source does not say. */
  readonly duration: number;
  /**
   * Runs FFmpeg once.
   * @param seconds how long the result is, for the progress
   * @returns what it has printed: its results where they go to `pipe:3`, and its log
   */
  ffmpeg(run: FfmpegRun): Promise<{ log: string }>;
}

export interface FfmpegRun {
  /** Before the source, such as `-ss`. */
  readonly before?: readonly string[];
  readonly after: readonly string[];
  readonly seconds?: number | undefined;
  /** Whether its log is needed, and not only its errors. */
  readonly logs?: boolean;
  /** Takes the result where it is `pipe:1`; there is no progress then. */
  readonly onOutput?: (chunk: Buffer) => void;
}

/** @throws MediaFailure where the build of FFmpeg has none of them */
export function encoderOf({ encoders }: StepContext, ...wanted: string[]): string {
  const found = wanted.find((name) => encoders.has(name));
  if (!found)
    throw new MediaFailure('impossible', `The FFmpeg of this server was built without ${wanted.join(' and ')}.`);
  return found;
}

/** @throws MediaFailure for what is no video */
export function assertVideo({ probe }: StepContext): NonNullable<MediaProbe['video']> {
  if (!probe.video) throw new MediaFailure('impossible', 'There is no video in this file.');
  return probe.video;
}

/** @throws MediaFailure for what has no sound */
export function assertAudio({ probe }: StepContext): NonNullable<MediaProbe['audio']> {
  if (!probe.audio) throw new MediaFailure('impossible', 'There is no sound in this file.');
  return probe.audio;
}

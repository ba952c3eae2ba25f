import { cpus } from 'node:os';
import type { VideoStep } from '@carcosa/contracts';
import { MEDIA_LIMITS } from '../bounded/process-limits.ts';
import { runBounded } from '../bounded/run-bounded.ts';
import { failureOf, inputArguments } from './probe.ts';
import { encodersOf, type MediaPrograms } from './programs.ts';
import { protocolsOf } from './source.ts';
import type { FfmpegRun, MediaTask, StepContext, StepResult } from './step-context.ts';
import { makeAudio } from './steps/audio.ts';
import { makeFrames } from './steps/frames.ts';
import { makeHls } from './steps/hls.ts';
import { makeLoudness } from './steps/loudness.ts';
import { makeSprite } from './steps/sprite.ts';
import { makeGifVideo, makePreview, makeTranscode, makeTrim } from './steps/transcode.ts';
import { makeWaveform } from './steps/waveform.ts';

type Maker<Step extends VideoStep> = (step: Step, context: StepContext) => Promise<StepResult>;

const MAKERS: { readonly [Type in VideoStep['type']]: Maker<Extract<VideoStep, { type: Type }>> } = {
  poster: makeFrames,
  thumbnails: makeFrames,
  sprite: makeSprite,
  preview: makePreview,
  transcode: makeTranscode,
  trim: makeTrim,
  hls: makeHls,
  audio: makeAudio,
  waveform: makeWaveform,
  loudness: makeLoudness,
  'gif-to-video': makeGifVideo,
};

/** Threads of an encoder: what is beside it on the machine has a right to live. */
export const THREADS = Math.max(1, Math.min(8, cpus().length));

/**
 * Makes what one step asks for, in the folder of the task.
 * @throws MediaFailure
 */
export async function makeMedia(programs: MediaPrograms, step: VideoStep, task: MediaTask): Promise<StepResult> {
  const encoders = await encodersOf(programs);
  const context: StepContext = {
    ...task,
    encoders,
    duration: task.probe.duration ?? 0,
    ffmpeg: (run) => runFfmpeg(programs, task, run),
  };
  return await (MAKERS[step.type] as Maker<VideoStep>)(step, context);
}

async function runFfmpeg(programs: MediaPrograms, task: MediaTask, run: FfmpegRun): Promise<{ log: string }> {
  const { source, probe, folder, signal, onProgress, limits = MEDIA_LIMITS } = task;
  const result = await runBounded({
    command: [
      ...[programs.ffmpeg, '-hide_banner', '-nostdin', '-y', '-loglevel', run.logs ? 'info' : 'error', '-nostats'],
      ...(run.onOutput ? [] : ['-progress', 'pipe:1']),
      ...['-threads', String(THREADS), ...(run.before ?? []), ...inputArguments(source, probe.container), ...run.after],
    ],
    folder,
    limits,
    network: protocolsOf(source).network,
    signal,
    onOutput: run.onOutput ?? progressReader(run.seconds ?? 0, onProgress),
  });
  if (result.code !== 0) throw failureOf(result);
  return { log: result.stderr };
}

/** Reads what `-progress` prints: lines of the form `out_time_us=1234`. */
function progressReader(seconds: number, onProgress: ((done: number) => void) | undefined): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    rest = (rest + chunk.toString('latin1')).slice(-4096);
    const at = rest.lastIndexOf('out_time_us=');
    const micros = Number(/^out_time_us=(\d+)\n/.exec(rest.slice(at))?.[1]);
    if (at >= 0 && seconds > 0 && Number.isFinite(micros)) onProgress?.(Math.min(1, micros / 1e6 / seconds));
  };
}

import type { VideoStep } from '@carcosa/contracts';
import { MediaFailure } from '../media-failure.ts';
import { assertVideo, encoderOf, type StepContext, type StepResult } from '../step-context.ts';

type Of<Type extends VideoStep['type']> = Extract<VideoStep, { type: Type }>;
type Format = Of<'transcode'>['format'];
type Preset = Of<'transcode'>['preset'];

/** The whole video in another format. */
export async function makeTranscode(step: Of<'transcode'>, context: StepContext): Promise<StepResult> {
  const { height } = assertVideo(context);
  const limit = step.maxHeight !== undefined && step.maxHeight < height ? step.maxHeight : null;
  return await encode(context, {
    format: step.format,
    filters: [limit === null ? EVEN : `scale=-2:${limit}`],
    quality: step.quality,
    preset: step.preset,
    audio: step.audio,
    seconds: context.duration,
    suffix: `${limit === null ? '' : `.${limit}p`}.${step.format === 'av1' ? 'av1' : 'transcoded'}`,
  });
}

/** A few seconds without sound, to be shown while somebody points at it. */
export async function makePreview(step: Of<'preview'>, context: StepContext): Promise<StepResult> {
  const { width } = assertVideo(context);
  const at = step.at ?? context.duration / 10;
  assertWithin(context, at);
  return await encode(context, {
    format: step.format,
    before: ['-ss', String(at)],
    after: ['-t', String(step.duration)],
    filters: [width <= step.width ? EVEN : `scale=${step.width}:-2`],
    quality: step.format === 'webm' ? 38 : 28,
    preset: 'fast',
    audio: false,
    seconds: Math.min(step.duration, Math.max(0, context.duration - at)),
    suffix: '.preview',
  });
}

/** An animation as a video, a tenth of its size. */
export async function makeGifVideo(step: Of<'gif-to-video'>, context: StepContext): Promise<StepResult> {
  if (context.probe.container.kind !== 'animation') throw new MediaFailure('impossible', 'This is no GIF.');
  return await encode(context, {
    format: step.format,
    // No animation is transparent as a video.
    filters: [EVEN],
    quality: undefined,
    preset: 'fast',
    audio: false,
    seconds: context.duration,
    suffix: '.video',
  });
}

/** A part of a video, or of a sound. */
export async function makeTrim(step: Of<'trim'>, context: StepContext): Promise<StepResult> {
  const { start, end, exact } = step;
  if (end <= start) throw new MediaFailure('impossible', 'The end of a trim must lie behind its start.');
  assertWithin(context, start);
  const length = end - start;
  const { container, video } = context.probe;
  const isWebm = container.demuxer === 'matroska';
  const before = ['-ss', String(start)];
  if (exact && video) {
    const format = isWebm ? 'webm' : 'mp4';
    const after = ['-t', String(length)];
    return await encode(context, {
      format,
      before,
      after,
      filters: [EVEN],
      quality: undefined,
      preset: 'fast',
      audio: true,
      seconds: length,
      suffix: '.trimmed',
    });
  }
  const { extension, contentType, muxer } = copyTarget(container.demuxer, video !== null);
  const name = `trimmed.${extension}`;
  await context.ffmpeg({
    before,
    after: [
      ...[
        '-t',
        String(length),
        '-map',
        '0:v:0?',
        '-map',
        '0:a:0?',
        '-dn',
        '-sn',
        '-c',
        'copy',
        '-avoid_negative_ts',
        'make_zero',
      ],
      ...[
        '-map_metadata',
        '-1',
        '-f',
        muxer,
        ...(muxer === 'mp4' || muxer === 'ipod' ? ['-movflags', '+faststart'] : []),
        name,
      ],
    ],
    seconds: length,
  });
  return { files: [{ name, suffix: `.${name}`, contentType }] };
}

/** Encoders of chroma at half resolution want even sides. */
export const EVEN = 'scale=trunc(iw/2)*2:trunc(ih/2)*2';

interface Encoding {
  format: Format;
  before?: string[];
  after?: string[];
  filters: string[];
  quality: number | undefined;
  preset: Preset;
  audio: boolean;
  seconds: number;
  suffix: string;
}

async function encode(context: StepContext, encoding: Encoding): Promise<StepResult> {
  const { format, before = [], after = [], filters, audio, seconds, suffix } = encoding;
  const extension = format === 'webm' ? 'webm' : 'mp4';
  const name = `video.${extension}`;
  const sound = audio && context.probe.audio ? ['-map', '0:a:0', ...audioCodec(context, format)] : ['-an'];
  await context.ffmpeg({
    before,
    after: [
      ...[...after, '-map', '0:v:0', '-sn', '-dn', '-vf', [...filters, 'format=yuv420p'].join(',')],
      ...videoCodec(context, encoding),
      ...[...sound, '-map_metadata', '-1', '-map_chapters', '-1'],
      ...(extension === 'mp4' ? ['-f', 'mp4', '-movflags', '+faststart'] : ['-f', 'webm']),
      name,
    ],
    seconds,
  });
  return { files: [{ name, suffix: `${suffix}.${extension}`, contentType: `video/${extension}` }] };
}

const X264_PRESETS: Readonly<Record<Preset, string>> = { fast: 'veryfast', medium: 'medium', slow: 'slow' };
/** Smaller is better and slower. */
const VP9_SPEEDS: Readonly<Record<Preset, string>> = { fast: '5', medium: '3', slow: '1' };
const AV1_PRESETS: Readonly<Record<Preset, string>> = { fast: '10', medium: '8', slow: '5' };

function videoCodec(context: StepContext, { format, preset, quality }: Encoding): string[] {
  if (format === 'mp4') {
    const codec = encoderOf(context, 'libx264');
    return ['-c:v', codec, '-preset', X264_PRESETS[preset], '-crf', String(Math.min(51, quality ?? 23))];
  }
  if (format === 'av1') {
    const codec = encoderOf(context, 'libsvtav1');
    return ['-c:v', codec, '-preset', AV1_PRESETS[preset], '-crf', String(quality ?? 35)];
  }
  const codec = encoderOf(context, 'libvpx-vp9');
  const speed = ['-deadline', 'good', '-cpu-used', VP9_SPEEDS[preset], '-row-mt', '1'];
  return ['-c:v', codec, '-crf', String(quality ?? 33), '-b:v', '0', ...speed];
}

function audioCodec(context: StepContext, format: Format): string[] {
  if (format === 'mp4') return ['-c:a', 'aac', '-b:a', '128k', '-ac', '2'];
  return ['-c:a', encoderOf(context, 'libopus'), '-b:a', '96k', '-ac', '2'];
}

function copyTarget(demuxer: string, isVideo: boolean): { extension: string; contentType: string; muxer: string } {
  if (demuxer === 'matroska')
    return { extension: 'webm', contentType: isVideo ? 'video/webm' : 'audio/webm', muxer: 'webm' };
  if (demuxer === 'mp3') return { extension: 'mp3', contentType: 'audio/mpeg', muxer: 'mp3' };
  if (demuxer === 'ogg') return { extension: 'ogg', contentType: 'audio/ogg', muxer: 'ogg' };
  if (demuxer === 'flac') return { extension: 'flac', contentType: 'audio/flac', muxer: 'flac' };
  if (demuxer === 'wav') return { extension: 'wav', contentType: 'audio/wav', muxer: 'wav' };
  if (isVideo) return { extension: 'mp4', contentType: 'video/mp4', muxer: 'mp4' };
  return { extension: 'm4a', contentType: 'audio/mp4', muxer: 'ipod' };
}

function assertWithin({ duration }: StepContext, at: number): void {
  if (duration > 0 && at >= duration)
    throw new MediaFailure('impossible', `There is nothing at ${at} s: the file is ${duration} s long.`);
}

import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { VideoStep } from '@carcosa/contracts';
import { MediaFailure } from '../media-failure.ts';
import { assertVideo, encoderOf, type MadeFile, type StepContext, type StepResult } from '../step-context.ts';

type FrameStep = Extract<VideoStep, { type: 'poster' | 'thumbnails' }>;
type Format = FrameStep['format'];

export const EXTENSIONS: Readonly<Record<Format, string>> = { jpeg: 'jpg', png: 'png', webp: 'webp' };

/** A poster, or thumbnails at several times: each reads only what lies around it. */
export async function makeFrames(step: FrameStep, context: StepContext): Promise<StepResult> {
  assertVideo(context);
  const extension = EXTENSIONS[step.format];
  if (step.type === 'poster') {
    const name = `poster.${extension}`;
    const at = step.at ?? Math.min(10, context.duration / 10);
    await makeFrame(context, { at, exact: step.at !== undefined, width: step.width, format: step.format, name });
    return { files: [{ name, suffix: `.${name}`, contentType: `image/${step.format}` }] };
  }
  const times = step.times ?? spread(context.duration, step.count);
  const files: MadeFile[] = [];
  for (const [index, at] of times.entries()) {
    const number = String(index + 1).padStart(3, '0');
    const name = `thumbnail-${number}.${extension}`;
    await makeFrame(context, { at, exact: step.times !== undefined, width: step.width, format: step.format, name });
    files.push({ name, suffix: `.thumbnails/${number}.${extension}`, contentType: `image/${step.format}` });
    context.onProgress?.((index + 1) / times.length);
  }
  return { files, data: { times } };
}

/** The middles of `count` equal parts. */
export const spread = (duration: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => Math.round(((index + 0.5) * duration * 1000) / count) / 1000);

interface Frame {
  at: number;
  /** Otherwise the key frame before it, which needs nothing else to be read. */
  exact: boolean;
  width: number | undefined;
  format: Format;
  name: string;
}

async function makeFrame(context: StepContext, { at, exact, width, format, name }: Frame): Promise<void> {
  if (context.duration > 0 && at > context.duration)
    throw new MediaFailure('impossible', `There is nothing at ${at} s: the video is ${context.duration} s long.`);
  await context.ffmpeg({
    before: [...(exact ? [] : ['-noaccurate_seek', '-skip_frame', 'nokey']), '-ss', String(at)],
    after: [
      ...[
        '-map',
        '0:v:0',
        '-frames:v',
        '1',
        '-fps_mode',
        'passthrough',
        ...(width ? ['-vf', `scale=${width}:-2`] : []),
      ],
      ...pictureEncoder(context, format),
      ...['-map_metadata', '-1', '-f', 'image2', '-update', '1', name],
    ],
  });
  await access(join(context.folder, name)).catch(() => {
    throw new MediaFailure('impossible', `There is no frame at ${at} s.`);
  });
}

export function pictureEncoder(context: StepContext, format: Format): string[] {
  if (format === 'png') return ['-c:v', 'png'];
  if (format === 'webp') return ['-c:v', encoderOf(context, 'libwebp'), '-quality', '80'];
  return ['-c:v', 'mjpeg', '-q:v', '3', '-pix_fmt', 'yuvj420p', '-strict', 'unofficial'];
}

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VideoStep } from '@carcosa/contracts';
import { MediaFailure } from '../media-failure.ts';
import { assertVideo, type StepContext, type StepResult } from '../step-context.ts';
import { pictureEncoder } from './frames.ts';

type SpriteStep = Extract<VideoStep, { type: 'sprite' }>;

/** Above this, key frames alone are decoded: their places are near enough for a preview on a time line. */
const LONG_SECONDS = 600;
const SHEET = 'sprite.jpg';

/** One sheet of small pictures, and a WebVTT file that says which of them shows which time. */
export async function makeSprite(step: SpriteStep, context: StepContext): Promise<StepResult> {
  const { width, height } = assertVideo(context);
  const { duration, folder } = context;
  if (duration === 0) throw new MediaFailure('impossible', 'This video does not say how long it is.');
  const count = Math.max(1, Math.min(step.count, Math.floor(duration * 10)));
  const columns = Math.min(step.columns, count);
  const rows = Math.ceil(count / columns);
  const cell = { width: step.width, height: Math.max(2, Math.round((step.width * height) / width / 2) * 2) };
  if (rows * cell.height > 65_000)
    throw new MediaFailure('too-large', 'The sheet would be too high; ask for more columns.');
  await context.ffmpeg({
    before: duration > LONG_SECONDS ? ['-skip_frame', 'nokey'] : [],
    after: [
      ...['-map', '0:v:0', '-frames:v', '1'],
      ...['-vf', `fps=${count}/${duration},scale=${cell.width}:${cell.height},tile=${columns}x${rows}`],
      ...pictureEncoder(context, 'jpeg'),
      ...['-map_metadata', '-1', '-f', 'image2', '-update', '1', SHEET],
    ],
    seconds: duration,
  });
  await writeFile(join(folder, 'sprite.vtt'), cues({ count, columns, duration, ...cell }));
  return {
    files: [
      { name: SHEET, suffix: '.sprite.jpg', contentType: 'image/jpeg' },
      { name: 'sprite.vtt', suffix: '.sprite.vtt', contentType: 'text/vtt', links: [SHEET] },
    ],
    data: { count, columns, rows, ...cell },
  };
}

/** WebVTT whose cues are areas of the sheet, as players know them (media fragments, `#xywh`). */
function cues({
  count,
  columns,
  duration,
  width,
  height,
}: Record<'count' | 'columns' | 'duration' | 'width' | 'height', number>): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const [from, to] = [(index * duration) / count, ((index + 1) * duration) / count];
    const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height];
    return `${clockTime(from)} --> ${clockTime(to)}\n${SHEET}#xywh=${x},${y},${width},${height}\n`;
  });
  return `WEBVTT\n\n${lines.join('\n')}`;
}

function clockTime(seconds: number): string {
  const millis = Math.round(seconds * 1000);
  const part = (value: number, digits: number): string => String(value).padStart(digits, '0');
  const [h, m, s] = [Math.floor(millis / 3_600_000), Math.floor(millis / 60_000) % 60, Math.floor(millis / 1000) % 60];
  return `${part(h, 2)}:${part(m, 2)}:${part(s, 2)}.${part(millis % 1000, 3)}`;
}

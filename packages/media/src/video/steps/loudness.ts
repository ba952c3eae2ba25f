import type { VideoStep } from '@carcosa/contracts';
import { MediaFailure } from '../media-failure.ts';
import { assertAudio, type StepContext, type StepResult } from '../step-context.ts';

/** How loud it is, by EBU R 128: integrated loudness in LUFS, range in LU, true peak in dBFS. */
export async function makeLoudness(
  _step: Extract<VideoStep, { type: 'loudness' }>,
  context: StepContext,
): Promise<StepResult> {
  assertAudio(context);
  const { log } = await context.ffmpeg({
    after: ['-map', '0:a:0', '-vn', '-af', 'ebur128=peak=true:framelog=verbose', '-f', 'null', '-'],
    seconds: context.duration,
    logs: true,
  });
  const summary = log.slice(log.lastIndexOf('Summary:'));
  const [integrated, range, truePeak] = [/I:\s+(\S+) LUFS/, /LRA:\s+(\S+) LU/, /Peak:\s+(\S+) dBFS/].map((form) =>
    numberIn(form, summary),
  );
  if (integrated === undefined)
    throw new MediaFailure('unreadable', 'The loudness of this file could not be measured.');
  return { files: [], data: { integrated, range, truePeak } };
}

/** Null for silence, whose peak is minus infinity. */
function numberIn(form: RegExp, text: string): number | null | undefined {
  const found = form.exec(text)?.[1];
  if (found === undefined) return undefined;
  return Number.isFinite(Number(found)) ? Number(found) : null;
}

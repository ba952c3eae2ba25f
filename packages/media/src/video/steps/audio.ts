import type { VideoStep } from '@carcosa/contracts';
import { assertAudio, encoderOf, type StepContext, type StepResult } from '../step-context.ts';

type AudioStep = Extract<VideoStep, { type: 'audio' }>;

const FORMATS: Readonly<
  Record<
    AudioStep['format'],
    { encoder: string; muxer: string; extension: string; contentType: string; isLossy: boolean }
  >
> = {
  mp3: { encoder: 'libmp3lame', muxer: 'mp3', extension: 'mp3', contentType: 'audio/mpeg', isLossy: true },
  m4a: { encoder: 'aac', muxer: 'ipod', extension: 'm4a', contentType: 'audio/mp4', isLossy: true },
  opus: { encoder: 'libopus', muxer: 'ogg', extension: 'opus', contentType: 'audio/ogg', isLossy: true },
  flac: { encoder: 'flac', muxer: 'flac', extension: 'flac', contentType: 'audio/flac', isLossy: false },
  wav: { encoder: 'pcm_s16le', muxer: 'wav', extension: 'wav', contentType: 'audio/wav', isLossy: false },
};

/** The sound alone. */
export async function makeAudio({ format, bitRate }: AudioStep, context: StepContext): Promise<StepResult> {
  assertAudio(context);
  const { encoder, muxer, extension, contentType, isLossy } = FORMATS[format];
  const name = `audio.${extension}`;
  await context.ffmpeg({
    after: [
      ...['-map', '0:a:0', '-vn', '-sn', '-dn', '-c:a', encoderOf(context, encoder)],
      ...(isLossy ? ['-b:a', String(bitRate), '-ac', '2'] : []),
      ...(muxer === 'ipod' ? ['-movflags', '+faststart'] : []),
      ...['-map_metadata', '-1', '-f', muxer, name],
    ],
    seconds: context.duration,
  });
  return { files: [{ name, suffix: `.${name}`, contentType }] };
}

import { z } from 'zod';
import { StorableText } from '../common.ts';
import { parseTransformSteps } from '../transform/index.ts';

/** Most steps of one job, and most files of one step. */
export const MAX_STEPS = 20;
export const MAX_FRAMES = 200;

const seconds = z.number().min(0).max(360_000);
/** Even, because the usual encoders know no others. */
const pixels = z
  .number()
  .int()
  .min(16)
  .max(4320)
  .refine((value) => value % 2 === 0, { message: 'an even number' });
const picture = z.enum(['jpeg', 'png', 'webp']).default('jpeg');
const film = z.enum(['mp4', 'webm', 'av1']).default('mp4');
const clip = z.enum(['mp4', 'webm']).default('mp4');

/**
 * Where results go: a path without its ending, with `{folder}` (and its "/"), `{name}`, `{stem}` (the name without ending), `{id}` and
 * `{version}` of the source.
 */
export const PathTemplate = StorableText.min(1)
  .max(900)
  .refine((text) => [...text.matchAll(/\{(\w*)\}/g)].every(([, name]) => TEMPLATE_NAMES.includes(name ?? '')), {
    message: 'a path with {folder}, {name}, {stem}, {id} or {version}, such as "{folder}derived/{stem}"',
  });
const TEMPLATE_NAMES = ['folder', 'name', 'stem', 'id', 'version'];
export const DEFAULT_PATH_TEMPLATE = '{folder}{stem}';

const step = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.strictObject({
    type: z.literal(type),
    path: PathTemplate.optional().describe(
      `where its results go, without their ending; default "${DEFAULT_PATH_TEMPLATE}"`,
    ),
    ...shape,
  });

export const PosterStep = step('poster', {
  at: seconds.optional().describe('seconds; absent: a key frame near the first tenth, at most ten seconds in'),
  width: pixels.optional().describe('absent: as wide as the source'),
  format: picture,
});
export const ThumbnailsStep = step('thumbnails', {
  times: z.array(seconds).min(1).max(MAX_FRAMES).optional().describe('seconds of each'),
  count: z.number().int().min(1).max(MAX_FRAMES).default(10).describe('without times: so many, evenly spread'),
  width: pixels.default(320),
  format: picture,
});
export const SpriteStep = step('sprite', {
  count: z.number().int().min(1).max(MAX_FRAMES).default(100).describe('pictures on the sheet, evenly spread'),
  width: pixels.max(640).default(160),
  columns: z.number().int().min(1).max(20).default(10),
});
export const PreviewStep = step('preview', {
  at: seconds.optional().describe('where it begins; absent: a tenth of the way'),
  duration: z.number().min(0.5).max(60).default(5),
  width: pixels.default(480),
  format: clip,
});
export const TranscodeStep = step('transcode', {
  format: film.describe('mp4: H.264 and AAC; webm: VP9 and Opus; av1: AV1 and Opus in MP4'),
  maxHeight: pixels.optional().describe('never enlarged'),
  quality: z.number().int().min(0).max(63).optional().describe('constant rate factor: smaller is better'),
  preset: z.enum(['fast', 'medium', 'slow']).default('fast'),
  audio: z.boolean().default(true),
});
export const HlsStep = step('hls', {
  heights: z
    .array(pixels)
    .min(1)
    .max(6)
    .default([240, 480, 720])
    .describe('renditions; those above the source are left out'),
  segmentSeconds: z.number().int().min(2).max(12).default(6),
});
export const TrimStep = step('trim', {
  start: seconds.default(0),
  end: seconds,
  exact: z.boolean().default(true).describe('false: copies the streams, from the key frame before the start'),
});
export const AudioStep = step('audio', {
  format: z.enum(['mp3', 'm4a', 'opus', 'flac', 'wav']).default('mp3'),
  bitRate: z
    .number()
    .int()
    .min(16_000)
    .max(512_000)
    .default(128_000)
    .describe('bits a second, where the format has one'),
});
export const WaveformStep = step('waveform', {
  points: z.number().int().min(10).max(20_000).default(1000),
  width: pixels.default(1200),
  height: pixels.default(240),
  color: z
    .string()
    .regex(/^[0-9a-f]{6}$/i)
    .default('3366cc'),
});
export const LoudnessStep = step('loudness', {});
export const GifToVideoStep = step('gif-to-video', { format: clip });
export const ImageStep = step('image', {
  transform: z
    .string()
    .min(1)
    .max(500)
    .refine((text) => isTransform(text), { message: 'steps of docs/transforms.md, such as "w_800,f_webp"' })
    .describe('the steps of a picture, as in its short address'),
});

function isTransform(text: string): boolean {
  try {
    return parseTransformSteps(text).format !== 'auto';
  } catch {
    return false;
  }
}

/** What is to be made of a file. */
export const MediaStep = z.discriminatedUnion('type', [
  PosterStep,
  ThumbnailsStep,
  SpriteStep,
  PreviewStep,
  TranscodeStep,
  HlsStep,
  TrimStep,
  AudioStep,
  WaveformStep,
  LoudnessStep,
  GifToVideoStep,
  ImageStep,
]);
export type MediaStep = z.infer<typeof MediaStep>;
export type MediaStepType = MediaStep['type'];
/** What FFmpeg makes. */
export type VideoStep = Exclude<MediaStep, { type: 'image' }>;

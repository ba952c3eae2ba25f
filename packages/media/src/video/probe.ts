import { PROBE_LIMITS } from '../bounded/process-limits.ts';
import { type BoundedResult, runBounded } from '../bounded/run-bounded.ts';
import { type Container, containerOf } from './containers.ts';
import { MediaFailure } from './media-failure.ts';
import type { MediaPrograms } from './programs.ts';
import { type MediaSource, protocolsOf } from './source.ts';

/** Pixels of a frame: 8192 × 4320. */
export const MAX_FRAME_PIXELS = 8192 * 4320;
/** Seconds of a source. */
export const MAX_DURATION = 4 * 3600;

/** What a medium says of itself. */
export interface MediaProbe {
  readonly container: Container;
  /** Seconds; null where it does not say. */
  readonly duration: number | null;
  /** Bits a second. */
  readonly bitRate: number | null;
  readonly format: string;
  readonly video: VideoStream | null;
  readonly audio: AudioStream | null;
  readonly tags: Readonly<Record<string, string>>;
}

export interface VideoStream {
  readonly codec: string;
  readonly profile: string | null;
  /** As it is shown, turned upright. */
  readonly width: number;
  readonly height: number;
  /** Degrees. */
  readonly rotation: number;
  /** Frames a second. */
  readonly frameRate: number | null;
  readonly bitRate: number | null;
  readonly pixelFormat: string | null;
}

export interface AudioStream {
  readonly codec: string;
  readonly channels: number;
  /** Hertz. */
  readonly sampleRate: number;
  readonly bitRate: number | null;
}

/** Arguments that let FFmpeg or ffprobe at exactly one source, read as exactly what its bytes say. */
export function inputArguments(source: MediaSource, { demuxer }: Container): string[] {
  const { protocols, network } = protocolsOf(source);
  return [
    ...['-protocol_whitelist', protocols, '-format_whitelist', demuxer, '-max_streams', '64'],
    ...['-max_pixels', String(MAX_FRAME_PIXELS)],
    // Each answer of ours is a piece; it asks for the next one at once.
    ...(network ? ['-reconnect', '1'] : []),
    ...['-f', demuxer, '-i', source.address],
  ];
}

/**
 * Asks ffprobe what a medium is.
 * @param folder an empty one of its own
 * @throws MediaFailure `unreadable`, `too-large`, `impossible` for a type that FFmpeg is not let at
 */
export async function probeMedia(
  programs: MediaPrograms,
  source: MediaSource,
  { folder, signal }: { folder: string; signal?: AbortSignal | undefined },
): Promise<MediaProbe> {
  const container = containerOf(source.contentType);
  if (!container)
    throw new MediaFailure('impossible', `Files of the type ${source.contentType} are neither video nor audio.`);
  const result = await runBounded({
    command: [
      ...[programs.ffprobe, '-hide_banner', '-loglevel', 'error', '-of', 'json'],
      ...['-show_format', '-show_streams', ...inputArguments(source, container)],
    ],
    folder,
    limits: PROBE_LIMITS,
    network: protocolsOf(source).network,
    signal,
  });
  if (result.code !== 0) throw failureOf(result);
  const probe = readProbe(container, result.stdout.toString('utf8'));
  assertSize(probe);
  return probe;
}

/** What went wrong, in words for the client: those of FFmpeg without paths and addresses. */
export function failureOf({ ended, stderr }: BoundedResult): MediaFailure {
  if (ended === 'abort') return new MediaFailure('aborted', 'It was called off.');
  if (ended === 'time') return new MediaFailure('too-large', 'It takes too long to read this file.');
  if (ended === 'output') return new MediaFailure('too-large', 'The result is too large.');
  if (/No space left on device/.test(stderr)) return new MediaFailure('disk-full', 'There is no room for the result.');
  if (
    /File size limit|(c|C)annot allocate memory|failed to map segment|Error allocating|Picture size .* is invalid/.test(
      stderr,
    ) ||
    ended === 'limit'
  )
    return new MediaFailure('too-large', 'It takes more memory, time or room than a file may take.');
  return new MediaFailure('unreadable', `This file cannot be read as video or audio: ${plain(stderr)}`);
}

function plain(stderr: string): string {
  const lines = stderr.split('\n').map((line) =>
    line
      .replace(/^\[[^\]]*\] /, '')
      .replace(/(file:|https?:)?\/\/?\S*/g, 'the file')
      .trim(),
  );
  return (lines.findLast((line) => line !== '') ?? 'it is damaged').slice(0, 200);
}

function assertSize({ duration, video }: MediaProbe): void {
  if (video && video.width * video.height > MAX_FRAME_PIXELS)
    throw new MediaFailure(
      'too-large',
      `Its frames have ${video.width} x ${video.height} pixels; ${MAX_FRAME_PIXELS} are allowed.`,
    );
  if (duration !== null && duration > MAX_DURATION)
    throw new MediaFailure('too-large', `It is ${Math.round(duration)} seconds long; ${MAX_DURATION} are allowed.`);
}

type Json = Record<string, unknown>;

function readProbe(container: Container, json: string): MediaProbe {
  const told = JSON.parse(json) as { format?: Json; streams?: Json[] };
  const streams = told.streams ?? [];
  const format = told.format ?? {};
  // The picture on the sleeve of a record is no video.
  const video = streams.find(
    (each) => each.codec_type === 'video' && (each.disposition as Json | undefined)?.attached_pic !== 1,
  );
  const audio = streams.find((each) => each.codec_type === 'audio');
  const seen = video && videoOf(video);
  if (!seen && !audio) throw new MediaFailure('unreadable', 'There is neither a picture nor a sound in this file.');
  return {
    container,
    duration: positive(format.duration) ?? positive(video?.duration ?? audio?.duration),
    bitRate: positive(format.bit_rate),
    format: text(format.format_name)?.split(',')[0] ?? container.demuxer,
    video: container.kind === 'audio' ? null : (seen ?? null),
    audio: audio ? audioOf(audio) : null,
    tags: tagsOf({ ...(audio?.tags as Json), ...(format.tags as Json) }),
  };
}

function videoOf(stream: Json): VideoStream {
  const rotation = rotationOf(stream);
  const sides = [positive(stream.width) ?? 0, positive(stream.height) ?? 0] as const;
  const [width, height] = rotation % 180 === 0 ? sides : [sides[1], sides[0]];
  return {
    codec: text(stream.codec_name) ?? 'unknown',
    profile: text(stream.profile),
    width,
    height,
    rotation,
    frameRate: rate(stream.avg_frame_rate) ?? rate(stream.r_frame_rate),
    bitRate: positive(stream.bit_rate),
    pixelFormat: text(stream.pix_fmt),
  };
}

function rotationOf({ side_data_list: sideData, tags }: Json): number {
  const matrix = (sideData as Json[] | undefined)?.find((each) => each.rotation !== undefined);
  const degrees = Number(matrix?.rotation ?? (tags as Json | undefined)?.rotate ?? 0);
  return Number.isFinite(degrees) ? ((Math.round(degrees) % 360) + 360) % 360 : 0;
}

function audioOf(stream: Json): AudioStream {
  return {
    codec: text(stream.codec_name) ?? 'unknown',
    channels: positive(stream.channels) ?? 0,
    sampleRate: positive(stream.sample_rate) ?? 0,
    bitRate: positive(stream.bit_rate),
  };
}

/** Tags that people give, and how many of them; others may say where it was made, or hold a book. */
const TAGS = new Set([
  'title',
  'artist',
  'album',
  'album_artist',
  'composer',
  'genre',
  'date',
  'track',
  'disc',
  'comment',
  'copyright',
  'publisher',
]);
const MAX_TAG = 500;

function tagsOf(tags: Json): Record<string, string> {
  const kept = Object.entries(tags).flatMap(([name, value]): [string, string][] => {
    const known = name.toLowerCase();
    const said = text(value)?.replaceAll('\0', '').toWellFormed().trim();
    return TAGS.has(known) && said ? [[known, said.slice(0, MAX_TAG).toWellFormed()]] : [];
  });
  return Object.fromEntries(kept);
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

function positive(value: unknown): number | null {
  const number = Number(value ?? Number.NaN);
  return Number.isFinite(number) && number > 0 ? number : null;
}

function rate(value: unknown): number | null {
  const [over, under] = String(value ?? '')
    .split('/')
    .map(Number);
  const frames = (over ?? 0) / (under ?? 0);
  return Number.isFinite(frames) && frames > 0 ? Math.round(frames * 1000) / 1000 : null;
}

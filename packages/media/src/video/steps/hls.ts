import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VideoStep } from '@carcosa/contracts';
import { assertVideo, encoderOf, type MadeFile, type StepContext, type StepResult } from '../step-context.ts';

type HlsStep = Extract<VideoStep, { type: 'hls' }>;

interface Rendition {
  name: string;
  height: number;
  /** Even. */
  width: number;
}

const PLAYLIST = 'application/vnd.apple.mpegurl';
/** As encoders are told for live films; a tenth of a bit for each pixel and frame. */
const bitRateOf = ({ width, height }: Rendition, frameRate: number): number =>
  Math.max(150_000, Math.round(width * height * Math.min(frameRate, 60) * 0.1));

/**
 * A ladder of renditions for HTTP Live Streaming (RFC 8216, version 7): each one file of fragmented MP4 with a playlist of byte ranges
 * in it, so that a film of hours is a handful of files; and the master playlist. All are encoded in one run.
 */
export async function makeHls({ heights, segmentSeconds }: HlsStep, context: StepContext): Promise<StepResult> {
  const video = assertVideo(context);
  const frameRate = video.frameRate ?? 25;
  const renditions = renditionsOf(heights, video);
  const codec = encoderOf(context, 'libx264');
  const hasAudio = context.probe.audio !== null;
  const maps = renditions.flatMap((rendition, index) => [
    ...['-map', `[v${index}]`, `-maxrate:v:${index}`, String(bitRateOf(rendition, frameRate))],
    ...[`-bufsize:v:${index}`, String(2 * bitRateOf(rendition, frameRate)), ...(hasAudio ? ['-map', '0:a:0'] : [])],
  ]);
  await context.ffmpeg({
    after: [
      ...['-filter_complex', filterOf(renditions), ...maps],
      ...['-c:v', codec, '-preset', 'veryfast', '-crf', '23', '-sc_threshold', '0'],
      // Every rendition can be left for another one at each segment.
      ...['-force_key_frames', `expr:gte(t,n_forced*${segmentSeconds})`],
      ...(hasAudio ? ['-c:a', 'aac', '-b:a', '128k', '-ac', '2'] : []),
      ...[
        '-map_metadata',
        '-1',
        '-map_chapters',
        '-1',
        '-f',
        'hls',
        '-hls_time',
        String(segmentSeconds),
        '-hls_playlist_type',
        'vod',
      ],
      ...[
        '-hls_segment_type',
        'fmp4',
        '-hls_flags',
        'single_file+independent_segments',
        '-hls_segment_filename',
        '%v.mp4',
      ],
      ...[
        '-var_stream_map',
        renditions.map(({ name }, index) => `v:${index}${hasAudio ? `,a:${index}` : ''},name:${name}`).join(' '),
      ],
      ...['-master_pl_name', 'ffmpeg.m3u8', '%v.m3u8'],
    ],
    seconds: context.duration,
  });
  await writeMaster(context.folder, renditions, frameRate);
  return {
    files: filesOf(renditions),
    data: { renditions: renditions.map(({ width, height }) => ({ width, height })) },
  };
}

/** Those that are no higher than the source; one of its own height where all are. */
function renditionsOf(heights: readonly number[], source: { width: number; height: number }): Rendition[] {
  const even = (value: number): number => Math.max(2, Math.round(value / 2) * 2);
  const wanted = [...new Set(heights)].sort((one, other) => one - other).filter((height) => height <= source.height);
  return (wanted.length > 0 ? wanted : [even(source.height)]).map((height) => ({
    name: `${height}p`,
    height,
    width: even((source.width * height) / source.height),
  }));
}

function filterOf(renditions: readonly Rendition[]): string {
  const parts = renditions.map((_, index) => `[s${index}]`).join('');
  const scales = renditions.map(
    ({ width, height }, index) => `[s${index}]scale=${width}:${height},format=yuv420p[v${index}]`,
  );
  return [`[0:v:0]split=${renditions.length}${parts}`, ...scales].join(';');
}

/** FFmpeg's own says of its bandwidths what the encoders were told; players want what is true. */
async function writeMaster(folder: string, renditions: readonly Rendition[], frameRate: number): Promise<void> {
  const theirs = await readFile(join(folder, 'ffmpeg.m3u8'), 'utf8');
  const entries = await Promise.all(
    renditions.map(async ({ name, width, height }) => {
      const playlist = await readFile(join(folder, `${name}.m3u8`), 'utf8');
      const { size } = await stat(join(folder, `${name}.mp4`));
      const { peak, average } = bandwidthOf(playlist, size);
      const codecs = new RegExp(`CODECS="([^"]+)"[^\\n]*\\n${name}\\.m3u8`).exec(theirs)?.[1];
      const attributes = [
        `BANDWIDTH=${peak}`,
        `AVERAGE-BANDWIDTH=${average}`,
        `RESOLUTION=${width}x${height}`,
        `FRAME-RATE=${frameRate.toFixed(3)}`,
        ...(codecs ? [`CODECS="${codecs}"`] : []),
      ];
      return `#EXT-X-STREAM-INF:${attributes.join(',')}\n${name}.m3u8\n`;
    }),
  );
  await writeFile(
    join(folder, 'master.m3u8'),
    `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n${entries.join('')}`,
  );
}

/** Bits a second of the heaviest segment, and of all together. */
export function bandwidthOf(playlist: string, size: number): { peak: number; average: number } {
  const segments = [...playlist.matchAll(/#EXTINF:([\d.]+),[^\n]*\n#EXT-X-BYTERANGE:(\d+)/g)].map(
    ([, seconds, bytes]) => ({
      seconds: Math.max(0.001, Number(seconds)),
      bits: 8 * Number(bytes),
    }),
  );
  const seconds = segments.reduce((sum, each) => sum + each.seconds, 0);
  const peak = Math.max(0, ...segments.map((each) => each.bits / each.seconds));
  return { peak: Math.ceil(peak), average: Math.ceil((8 * size) / Math.max(0.001, seconds)) };
}

/** What is referred to comes before what refers to it. */
function filesOf(renditions: readonly Rendition[]): MadeFile[] {
  const names = renditions.map(({ name }) => name);
  return [
    ...names.flatMap((name) => [
      { name: `${name}.mp4`, suffix: `.hls/${name}.mp4`, contentType: 'video/mp4' },
      { name: `${name}.m3u8`, suffix: `.hls/${name}.m3u8`, contentType: PLAYLIST, links: [`${name}.mp4`] },
    ]),
    {
      name: 'master.m3u8',
      suffix: '.hls/master.m3u8',
      contentType: PLAYLIST,
      links: names.map((name) => `${name}.m3u8`),
    },
  ];
}

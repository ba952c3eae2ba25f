import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MediaStep, type VideoStep } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MediaFailure } from './media-failure.ts';
import { type MediaProbe, probeMedia } from './probe.ts';
import { findMediaPrograms, type MediaPrograms } from './programs.ts';
import { RangeServer } from './range-server.ts';
import type { MediaSource } from './source.ts';
import type { MediaTask, StepResult } from './step-context.ts';
import { makeMedia } from './transcoder.ts';

const PROGRAMS = programs();
function programs(): MediaPrograms | null {
  try {
    return findMediaPrograms(process.env.PATH ?? '');
  } catch {
    return null;
  }
}

let sources: string;
let folder: string;

/** Makes a source by FFmpeg itself. */
function make(name: string, ...args: string[]): string {
  const file = path.join(sources, name);
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...args, file]);
  return file;
}
const FILM = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=8'];
const TONE = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=8'];
const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-c:a', 'aac'];

const fileSource = (file: string, contentType: string): MediaSource => ({ address: `file:${file}`, contentType });
const probe = (source: MediaSource, signal?: AbortSignal): Promise<MediaProbe> =>
  probeMedia(PROGRAMS as MediaPrograms, source, { folder, signal });

async function run(source: MediaSource, step: object, more: Partial<MediaTask> = {}): Promise<StepResult> {
  const parsed = MediaStep.parse(step) as VideoStep;
  return await makeMedia(PROGRAMS as MediaPrograms, parsed, { source, probe: await probe(source), folder, ...more });
}
const made = (name: string): string => path.join(folder, name);

async function failure(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (thrown) => thrown,
  );
  return error instanceof MediaFailure ? error.fault : `not refused: ${String(error)}`;
}

/** Difference of a channel, on average over all pixels. */
async function difference(one: Buffer, other: Buffer): Promise<number> {
  const small = (picture: Buffer) => sharp(picture).resize(64, 36, { fit: 'fill' }).removeAlpha().raw().toBuffer();
  const [a, b] = [await small(one), await small(other)];
  return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] as number)), 0) / a.length;
}

it('says which package is missing', () => {
  const error: unknown = (() => {
    try {
      return findMediaPrograms('/nowhere');
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(CarcosaError);
  expect((error as CarcosaError).message).toContain('apt-get install ffmpeg');
});

describe.skipIf(PROGRAMS === null)('FFmpeg', { timeout: 120_000 }, () => {
  let film: MediaSource;
  let tone: MediaSource;

  beforeAll(async () => {
    sources = await mkdtemp(path.join(tmpdir(), 'carcosa-sources-'));
    film = fileSource(
      make('film.mp4', ...FILM, ...TONE, ...H264, '-metadata', 'title=A film', '-metadata', 'location=+52.5+13.4/'),
      'video/mp4',
    );
    tone = fileSource(make('tone.mp3', ...TONE, '-c:a', 'libmp3lame', '-metadata', 'artist=Camilla'), 'audio/mpeg');
  });
  afterAll(() => rm(sources, { recursive: true }));
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'carcosa-media-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('says what a film and a sound are, and not where they were made', async () => {
    const facts = await probe(film);
    expect(facts).toMatchObject({
      video: { codec: 'h264', width: 320, height: 180, frameRate: 25, rotation: 0 },
      audio: { codec: 'aac', channels: 1, sampleRate: 44_100 },
      tags: { title: 'A film' },
    });
    expect(facts.duration).toBeCloseTo(8, 0);
    expect(JSON.stringify(facts)).not.toContain('52.5');
    expect(await probe(tone)).toMatchObject({ video: null, audio: { codec: 'mp3' }, tags: { artist: 'Camilla' } });
  });

  it('makes a poster of the frame at a time', async () => {
    await run(film, { type: 'poster', at: 5.2, format: 'png' });
    execFileSync('ffmpeg', [
      '-v',
      'error',
      '-i',
      film.address,
      '-vf',
      'select=gte(t\\,5.2)',
      '-frames:v',
      '1',
      made('direct.png'),
    ]);
    expect(await difference(await readFile(made('poster.png')), await readFile(made('direct.png')))).toBeLessThan(1);
  });

  it('makes thumbnails, each of its own time', async () => {
    const { files, data } = await run(film, { type: 'thumbnails', count: 4, width: 160 });
    expect(data).toEqual({ times: [1, 3, 5, 7] });
    expect(files.map(({ suffix }) => suffix)).toEqual(
      ['001', '002', '003', '004'].map((number) => `.thumbnails/${number}.jpg`),
    );
    const pictures = await Promise.all(files.map(({ name }) => readFile(made(name))));
    expect(await sharp(pictures[0]).metadata()).toMatchObject({ format: 'jpeg', width: 160, height: 90 });
    expect(await difference(pictures[0] as Buffer, pictures[3] as Buffer)).toBeGreaterThan(2);
  });

  it('makes a sheet whose cues name the areas of its pictures', async () => {
    const { files, data } = await run(film, { type: 'sprite', count: 8, columns: 4, width: 80 });
    expect(data).toMatchObject({ count: 8, columns: 4, rows: 2, width: 80 });
    const { width, height } = await sharp(made('sprite.jpg')).metadata();
    expect([width, height]).toEqual([320, 2 * (data?.height as number)]);
    const cues = await readFile(made('sprite.vtt'), 'utf8');
    expect(cues).toMatch(/^WEBVTT\n\n00:00:00\.000 --> 00:00:01\.\d+\nsprite\.jpg#xywh=0,0,80,/);
    expect(cues.match(/-->/g)).toHaveLength(8);
    expect(files[1]?.links).toEqual(['sprite.jpg']);
    // The sixth picture is that of second 5 to 6.
    const cell = await sharp(made('sprite.jpg'))
      .extract({ left: 80, top: data?.height as number, width: 80, height: data?.height as number })
      .png()
      .toBuffer();
    execFileSync('ffmpeg', ['-v', 'error', '-ss', '5.5', '-i', film.address, '-frames:v', '1', made('direct.png')]);
    expect(await difference(cell, await readFile(made('direct.png')))).toBeLessThan(25);
  });

  it.each([
    [{ type: 'transcode', format: 'mp4', maxHeight: 90 }, 'video.mp4', 'video/mp4', 'h264', 'aac', 90],
    [{ type: 'transcode', format: 'webm' }, 'video.webm', 'video/webm', 'vp9', 'opus', 180],
    [{ type: 'transcode', format: 'av1', maxHeight: 90 }, 'video.mp4', 'video/mp4', 'av1', 'opus', 90],
    [{ type: 'preview', duration: 2 }, 'video.mp4', 'video/mp4', 'h264', null, 180],
    [{ type: 'trim', start: 1, end: 3 }, 'video.mp4', 'video/mp4', 'h264', 'aac', 180],
    [{ type: 'trim', start: 2, end: 4, exact: false }, 'trimmed.mp4', 'video/mp4', 'h264', 'aac', 180],
  ])('does %j', async (step, name, contentType, video, audio, height) => {
    const progress: number[] = [];
    const { files } = await run(film, step, { onProgress: (done) => progress.push(done) });
    expect(files).toMatchObject([{ name, contentType }]);
    const facts = await probe(fileSource(made(name), contentType));
    expect(facts.video).toMatchObject({ codec: video, height });
    expect(facts.audio?.codec ?? null).toBe(audio);
    const seconds = step.type === 'transcode' ? 8 : 2;
    expect(Math.abs((facts.duration as number) - seconds)).toBeLessThan(0.6);
    expect(progress.at(-1)).toBeGreaterThan(0.5);
    if (contentType === 'video/mp4') {
      const bytes = readFileSync(made(name)).toString('latin1');
      expect(bytes.indexOf('moov')).toBeLessThan(bytes.indexOf('mdat'));
    }
  });

  it.each(['mp3', 'm4a', 'opus', 'flac', 'wav'])('takes the sound out as %s', async (format) => {
    const { files } = await run(film, { type: 'audio', format });
    const [file] = files;
    const facts = await probe(fileSource(made(file?.name ?? ''), file?.contentType ?? ''));
    expect(facts).toMatchObject({ video: null });
    expect(facts.duration).toBeCloseTo(8, 0);
  });

  it('draws the envelope of a sound that is silent in its second half', async () => {
    const half = fileSource(
      make('half.wav', '-f', 'lavfi', '-i', 'aevalsrc=if(lt(t\\,2)\\,0.5*sin(2*PI*300*t)\\,0):d=4'),
      'audio/wav',
    );
    const { files } = await run(half, { type: 'waveform', points: 100, width: 200, height: 50 });
    const { data, length } = JSON.parse(await readFile(made('waveform.json'), 'utf8')) as {
      data: number[];
      length: number;
    };
    expect(data).toHaveLength(2 * length);
    expect(length).toBe(100);
    expect(data[20]).toBeLessThan(-50);
    expect(data[21]).toBeGreaterThan(50);
    expect(data.slice(-20).every((value) => Math.abs(value) <= 1)).toBe(true);
    expect(await sharp(made('waveform.png')).metadata()).toMatchObject({ width: 200, height: 50 });
    expect(files).toHaveLength(2);
  });

  it('measures loudness: a tone at -23 LUFS is heard as that', async () => {
    const { data } = await run(tone, { type: 'loudness' });
    const louder = fileSource(make('louder.wav', ...TONE, '-af', 'volume=6dB'), 'audio/wav');
    const { data: loud } = await run(louder, { type: 'loudness' });
    expect((loud?.integrated as number) - (data?.integrated as number)).toBeCloseTo(6, 0);
  });

  it('makes a video of an animation', async () => {
    const gif = fileSource(
      make('moves.gif', '-f', 'lavfi', '-i', 'testsrc2=size=81x61:rate=10:duration=2'),
      'image/gif',
    );
    await run(gif, { type: 'gif-to-video' });
    const facts = await probe(fileSource(made('video.mp4'), 'video/mp4'));
    expect(facts.video).toMatchObject({ codec: 'h264', width: 80, height: 60 });
  });

  it('makes a ladder of two renditions that are cut at the same times', async () => {
    const { files, data } = await run(film, { type: 'hls', heights: [90, 180, 720], segmentSeconds: 2 });
    expect(data).toEqual({
      renditions: [
        { width: 160, height: 90 },
        { width: 320, height: 180 },
      ],
    });
    expect(files.map(({ suffix }) => suffix)).toEqual(
      ['90p.mp4', '90p.m3u8', '180p.mp4', '180p.m3u8', 'master.m3u8'].map((name) => `.hls/${name}`),
    );
    const master = await readFile(made('master.m3u8'), 'utf8');
    expect(master).toMatch(
      /BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+,RESOLUTION=160x90,FRAME-RATE=25.000,CODECS="avc1\.[0-9a-f]+,mp4a\.40\.2"\n90p\.m3u8/i,
    );
    const times = ['90p', '180p'].map((name) => readFileSync(made(`${name}.m3u8`), 'utf8').match(/#EXTINF:[\d.]+/g));
    expect(times[0]).toHaveLength(4);
    expect(times[0]).toEqual(times[1]);
    // The player of FFmpeg, which reads it as a whole, finds all of it.
    const counted = execFileSync('ffprobe', [
      '-v',
      'error',
      '-count_packets',
      '-select_streams',
      'v',
      '-show_entries',
      'stream=nb_read_packets',
      '-of',
      'csv=p=0',
      made('180p.m3u8'),
    ]);
    expect(Number(counted.toString().split('\n')[0])).toBe(200);
  });

  it('reads of a film in a bucket little more than its poster needs', async () => {
    // Noise: tens of megabytes, with what describes it at its end.
    const noise = make(
      'noise.mp4',
      '-f',
      'lavfi',
      '-i',
      'nullsrc=s=640x360:r=25:d=12,geq=random(1)*255:128:128',
      '-c:v',
      'libx264',
      '-preset',
      'ultrafast',
      '-g',
      '25',
      '-crf',
      '25',
    );
    const { size } = statSync(noise);
    expect(size).toBeGreaterThan(20_000_000);
    const server = await RangeServer.open(
      { size, read: async (range) => createReadStream(noise, range) },
      'a-secret-of-this-test',
    );
    try {
      const source = { address: server.address, contentType: 'video/mp4' };
      await run(source, { type: 'poster', at: 6 });
      expect(await sharp(made('poster.jpg')).metadata()).toMatchObject({ width: 640, height: 360 });
      expect(server.bytesRead).toBeGreaterThan(0);
      expect(server.bytesRead / size).toBeLessThan(0.05);
      expect((await fetch(new URL('/another', server.address))).status).toBe(404);
    } finally {
      server.close();
    }
  });

  it.each([
    ['a playlist of local files', '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n'],
    ['a list for joining files', "ffconcat version 1.0\nfile '/etc/passwd'\n"],
    ['a playlist of the network', '#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n'],
  ])('takes %s for no video, whatever it is called', async (_name, content) => {
    const file = path.join(sources, 'lie.mp4');
    await writeFile(file, content);
    expect(await failure(probe(fileSource(file, 'video/mp4')))).toBe('unreadable');
    expect(await failure(probe(fileSource(file, 'video/x-matroska')))).toBe('unreadable');
    expect(await failure(probe(fileSource(file, 'application/vnd.apple.mpegurl')))).toBe('impossible');
  });

  it('says what is wrong with files that were broken anywhere, and is never longer about it than it may be', async () => {
    const whole = readFileSync(film.address.slice('file:'.length));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 400 }),
        fc.nat(whole.length),
        async (changes, length) => {
          const broken = Buffer.from(whole.subarray(0, Math.max(1, whole.length - (length % 3 === 0 ? length : 0))));
          for (const [at, value] of changes) broken[at % broken.length] = value;
          const file = path.join(sources, 'broken.mp4');
          await writeFile(file, broken);
          const outcome = await run(fileSource(file, 'video/mp4'), { type: 'poster', at: 1 }).then(
            () => 'made',
            (error: unknown) => (error instanceof MediaFailure ? error.fault : String(error)),
          );
          expect(['made', 'unreadable', 'impossible', 'too-large']).toContain(outcome);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('refuses what is not there to be asked of it', async () => {
    expect(await failure(run(tone, { type: 'poster' }))).toBe('impossible');
    expect(await failure(run(film, { type: 'poster', at: 100 }))).toBe('impossible');
    expect(await failure(run(film, { type: 'trim', start: 3, end: 2 }))).toBe('impossible');
    expect(await failure(run(film, { type: 'gif-to-video' }))).toBe('impossible');
    const zero = path.join(sources, 'zero.mp4');
    await writeFile(zero, '');
    expect(await failure(probe(fileSource(zero, 'video/mp4')))).toBe('unreadable');
  });

  it('ends at its time-out, when it writes too much and when it is called off, with all that it started', async () => {
    const limits = { timeMs: 600_000, cpuSeconds: 600, memoryBytes: 4 * 1024 ** 3, outputBytes: 1024 ** 3 };
    const slow = { type: 'transcode', format: 'webm', preset: 'slow' };
    expect(await failure(run(film, slow, { limits: { ...limits, timeMs: 300 } }))).toBe('too-large');
    expect(
      await failure(run(film, { type: 'audio', format: 'wav' }, { limits: { ...limits, outputBytes: 100_000 } })),
    ).toBe('too-large');
    expect(await failure(run(film, slow, { limits: { ...limits, memoryBytes: 60 * 1024 ** 2 } }))).toBe('too-large');
    expect(await failure(run(film, slow, { limits: { ...limits, cpuSeconds: 1 } }))).toBe('too-large');
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    expect(await failure(run(film, slow, { signal: controller.signal, onProgress }))).toBe('aborted');
    const left = execFileSync('ps', ['-eo', 'args']).toString();
    expect(left.split('\n').filter((line) => line.includes(sources))).toEqual([]);
  });
});

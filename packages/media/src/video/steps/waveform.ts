import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VideoStep } from '@carcosa/contracts';
import { MediaFailure } from '../media-failure.ts';
import { assertAudio, type StepContext, type StepResult } from '../step-context.ts';
import { PeakReader } from './peak-reader.ts';

type WaveformStep = Extract<VideoStep, { type: 'waveform' }>;

/** Hertz: the envelope of a sound needs no more. */
const SAMPLE_RATE = 8000;

/** The envelope of a sound as a picture, and as JSON in the form of audiowaveform (version 2, 8 bits, one channel). */
export async function makeWaveform(step: WaveformStep, context: StepContext): Promise<StepResult> {
  assertAudio(context);
  const { duration, folder } = context;
  if (duration === 0) throw new MediaFailure('impossible', 'This file does not say how long it is.');
  const samplesPerPixel = Math.max(1, Math.ceil((duration * SAMPLE_RATE) / step.points));
  const peaks = new PeakReader(samplesPerPixel);
  await context.ffmpeg({
    after: [
      '-map',
      '0:a:0',
      '-vn',
      '-ac',
      '1',
      '-ar',
      String(SAMPLE_RATE),
      '-c:a',
      'pcm_s16le',
      '-f',
      's16le',
      'pipe:1',
    ],
    onOutput: (chunk) => {
      peaks.add(chunk);
      context.onProgress?.(Math.min(0.7, (0.7 * peaks.samples) / (duration * SAMPLE_RATE)));
    },
  });
  const data = peaks.end();
  const json = {
    ...{ version: 2, channels: 1, sample_rate: SAMPLE_RATE, samples_per_pixel: samplesPerPixel, bits: 8 },
    ...{ length: data.length / 2, data },
  };
  await writeFile(join(folder, 'waveform.json'), JSON.stringify(json));
  await context.ffmpeg({
    after: [
      ...[
        '-filter_complex',
        `[0:a:0]aformat=channel_layouts=mono,showwavespic=s=${step.width}x${step.height}:colors=0x${step.color}`,
      ],
      ...['-frames:v', '1', '-c:v', 'png', '-map_metadata', '-1', '-f', 'image2', '-update', '1', 'waveform.png'],
    ],
  });
  return {
    files: [
      { name: 'waveform.json', suffix: '.waveform.json', contentType: 'application/json' },
      { name: 'waveform.png', suffix: '.waveform.png', contentType: 'image/png' },
    ],
  };
}

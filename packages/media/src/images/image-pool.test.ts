import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEFAULT_QUALITY, IMAGE_FORMATS, parseTransformSteps, type ResolvedTransform } from '@carcosa/contracts';
import { isCarcosaError } from '@carcosa/kernel';
import sharp, { type Sharp } from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ImagePool } from './image-pool.ts';

let directory: string;
let photo: string;
let drawing: string;
let turned: string;
let pool: ImagePool;
let made = 0;

const noise = (width: number, height: number) =>
  sharp({
    create: { width, height, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 60 }, background: '#808080' },
  });

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'carcosa-images-'));
  [photo, drawing, turned] = ['photo.jpg', 'drawing.png', 'turned.jpg'].map((name) => path.join(directory, name)) as [
    string,
    string,
    string,
  ];
  await noise(400, 300).blur(3).jpeg().toFile(photo);
  const shape = Buffer.from('<svg width="200" height="160"><circle cx="70" cy="80" r="60" fill="#f80"/></svg>');
  await sharp(shape).png().toFile(drawing);
  // GPS and an orientation, as a phone writes them.
  await noise(400, 300)
    .blur(3)
    .withExif({ IFD0: { Copyright: 'Somebody' }, IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 31/1 0/1' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toFile(turned);
  pool = new ImagePool({ size: 2, maxWaiting: 64 });
});
afterAll(async () => {
  pool.close();
  await rm(directory, { recursive: true });
});
afterEach(async () => {
  for (const name of await readdir(directory)) if (name.startsWith('made-')) await rm(path.join(directory, name));
});

const target = (): string => path.join(directory, `made-${++made}`);
const transformOf = (steps: string): ResolvedTransform => parseTransformSteps(steps) as ResolvedTransform;

async function make(source: string, steps: string): Promise<Buffer> {
  const file = target();
  const result = await pool.run({ source, target: file, transform: transformOf(steps) });
  const bytes = await readFile(file);
  expect(result.size).toBe(bytes.length);
  expect(await sharp(bytes).metadata()).toMatchObject({ width: result.width, height: result.height });
  return bytes;
}

async function failure(run: Promise<unknown>): Promise<string> {
  const error: unknown = await run.then(
    () => null,
    (thrown) => thrown,
  );
  return isCarcosaError(error) ? error.code : `not refused: ${String(error)}`;
}

/** Each step, beside the same done by the library called directly. */
const STEPS: Record<string, (image: Sharp) => Sharp> = {
  original: (image) => image,
  w_150: (image) => image.resize({ width: 150 }),
  h_90: (image) => image.resize({ height: 90 }),
  'w_100,h_100': (image) => image.resize(100, 100),
  'w_100,h_100,g_north': (image) => image.resize(100, 100, { position: 'north' }),
  'w_50,h_150,g_attention': (image) => image.resize(50, 150, { position: 'attention' }),
  'w_50,h_150,g_entropy': (image) => image.resize(50, 150, { position: 'entropy' }),
  'w_100,h_100,fit_contain,bg_00f': (image) =>
    image.resize(100, 100, { fit: 'contain', background: '#00f' }).flatten({ background: '#00f' }),
  'w_100,h_100,fit_fill': (image) => image.resize(100, 100, { fit: 'fill' }),
  'w_100,h_100,fit_inside': (image) => image.resize(100, 100, { fit: 'inside' }),
  'w_100,h_100,fit_outside': (image) => image.resize(100, 100, { fit: 'outside' }),
  'w_50,dpr_2': (image) => image.resize({ width: 100 }),
  w_900: (image) => image,
  'w_900,enlarge': (image) => image.resize({ width: 900 }),
  crop_10x20x60x50: (image) => image.extract({ left: 10, top: 20, width: 60, height: 50 }),
  trim: (image) => image.trim({ threshold: 10 }),
  rotate_90: (image) => image.rotate(90),
  'rotate_90,w_80': (image) => image.rotate(90).resize({ width: 80 }),
  'rotate_33,bg_0f0': (image) => image.rotate(33, { background: '#0f0' }).flatten({ background: '#0f0' }),
  flip: (image) => image.flip(),
  flop: (image) => image.flop(),
  'pad_12,bg_f00': (image) =>
    image.extend({ top: 12, bottom: 12, left: 12, right: 12, background: '#f00' }).flatten({ background: '#f00' }),
  blur_4: (image) => image.blur(4),
  sharpen_2: (image) => image.sharpen({ sigma: 2 }),
  'brightness_1.3,saturation_0.5,hue_90': (image) => image.modulate({ brightness: 1.3, saturation: 0.5, hue: 90 }),
  contrast_2: (image) => image.linear(2, -128),
  tint_ff8800: (image) => image.tint('#ff8800'),
  grayscale: (image) => image.grayscale(),
};

const ENCODERS: Record<string, (image: Sharp) => Sharp> = {
  jpeg: (image) => image.jpeg({ quality: 80 }),
  png: (image) => image.png(),
  webp: (image) => image.webp({ quality: 80, effort: 2 }),
  avif: (image) => image.avif({ quality: 50, effort: 0 }),
  gif: (image) => image.gif(),
};

describe('each step in each format', () => {
  it.each(IMAGE_FORMATS.flatMap((format) => Object.keys(STEPS).map((steps) => [steps, format] as const)))(
    '%s as %s is what the library makes, pixel by pixel',
    async (steps, format) => {
      for (const source of [photo, drawing]) {
        const start = sharp(source);
        const stepped = (STEPS[steps] as (image: Sharp) => Sharp)(start);
        const based = format === 'jpeg' && !steps.includes('bg_') ? stepped.flatten({ background: '#fff' }) : stepped;
        const expected = await (ENCODERS[format] as (image: Sharp) => Sharp)(based).toBuffer();
        const bytes = await make(source, `${steps === 'original' ? '' : `${steps},`}f_${format}`);
        const [one, other] = [
          await sharp(bytes).raw().toBuffer({ resolveWithObject: true }),
          await sharp(expected).raw().toBuffer({ resolveWithObject: true }),
        ];
        expect(one.info).toEqual(other.info);
        expect(one.data.equals(other.data)).toBe(true);
      }
    },
  );

  it('uses the qualities that the grammar leaves out, and others where they are named', async () => {
    for (const format of ['jpeg', 'webp', 'avif'] as const) {
      const usual = await make(photo, `f_${format}`);
      const named = { ...transformOf(`f_${format}`), quality: DEFAULT_QUALITY[format] as number };
      const file = target();
      await pool.run({ source: photo, target: file, transform: named });
      expect((await readFile(file)).equals(usual)).toBe(true);
      expect((await make(photo, `f_${format},q_20`)).length).toBeLessThan(usual.length);
    }
  });

  it('turns upright first, and keeps neither place nor name', async () => {
    expect(await sharp(turned).metadata()).toMatchObject({ width: 400, height: 300, orientation: 6 });
    for (const format of ['jpeg', 'webp', 'avif', 'png']) {
      const bytes = await make(turned, `f_${format}`);
      const { width, height, orientation, exif, xmp } = await sharp(bytes).metadata();
      expect([width, height, orientation ?? 1, exif, xmp]).toEqual([300, 400, 1, undefined, undefined]);
      expect(bytes.includes('Somebody')).toBe(false);
    }
    expect(await sharp(await make(turned, 'f_png,crop_0x350x300x50')).metadata()).toMatchObject({
      width: 300,
      height: 50,
    });
  });
});

describe('hostile pictures', () => {
  const SVG = '<!DOCTYPE svg [<!ENTITY x SYSTEM "/etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>';

  it.each<[string, () => Promise<Buffer>, string]>([
    ['an empty file', async () => Buffer.alloc(0), 'image_unreadable'],
    ['text', async () => Buffer.from('GIF'), 'image_unreadable'],
    ['a drawing with entities', async () => Buffer.from(SVG), 'image_unreadable'],
    ['a truncated JPEG', async () => (await readFile(photo)).subarray(0, 3000), 'image_unreadable'],
    ['a truncated PNG', async () => (await readFile(drawing)).subarray(0, 600), 'image_unreadable'],
    ['a bomb', () => bomb(16_383), 'image_too_large'],
    ['a smaller bomb', () => bomb(6_000), 'image_too_large'],
  ])(
    '%s is refused, and leaves nothing',
    async (_name, bytes, code) => {
      const source = path.join(directory, 'made-hostile');
      await writeFile(source, await bytes());
      const file = target();
      expect(await failure(pool.run({ source, target: file, transform: transformOf('w_100,f_webp') }))).toBe(code);
      await expect(readFile(file)).rejects.toThrow('ENOENT');
      expect((await make(photo, 'w_10,f_png')).length).toBeGreaterThan(0);
    },
    60_000,
  );

  it('refuses an area outside of the picture', async () => {
    for (const steps of ['crop_0x0x500x10,f_png', 'crop_0x0x500x10,rotate_90,f_png']) {
      expect(await failure(pool.run({ source: photo, target: target(), transform: transformOf(steps) }))).toBe(
        'invalid_request',
      );
    }
  });

  /** Interlaced, so that a decoder needs all of it in memory; small as a file. */
  function bomb(side: number): Promise<Buffer> {
    return sharp({ create: { width: side, height: side, channels: 3, background: '#123456' } })
      .png({ progressive: true, compressionLevel: 9 })
      .toBuffer();
  }
});

describe('the processes', () => {
  it('are replaced when one is killed at work, whose picture fails alone', async () => {
    const own = new ImagePool({ size: 1, maxWaiting: 4 });
    const slow = own.run({ source: photo, target: target(), transform: transformOf('w_4000,enlarge,blur_50,f_avif') });
    const next = own.run({ source: photo, target: target(), transform: transformOf('w_10,f_png') });
    const [victim] = own.workers;
    process.kill(victim as number, 'SIGKILL');
    expect(await failure(slow)).toBe('image_unreadable');
    expect((await next).width).toBe(10);
    expect(own.workers).not.toContain(victim);
    own.close();
  });

  it.each([
    ['time', { timeMs: 1 }],
    ['memory', { memoryBytes: 1 }],
  ])('are killed when a picture takes more %s than it may', async (_name, limits) => {
    const own = new ImagePool({ size: 1, maxWaiting: 4, limits });
    const file = target();
    const run = own.run({ source: photo, target: file, transform: transformOf('w_4000,enlarge,blur_50,f_avif') });
    expect(await failure(run)).toBe('image_too_large');
    expect(own.workers).toEqual([]);
    await expect(readFile(file)).rejects.toThrow('ENOENT');
    own.close();
  });

  it('are as many as they may be, and what cannot wait is told when to come back', async () => {
    const own = new ImagePool({ size: 1, maxWaiting: 2 });
    const runs = [1, 2, 3, 4].map((width) =>
      own.run({ source: photo, target: target(), transform: transformOf(`w_${width},f_png`) }),
    );
    const error: unknown = await (runs[3] as Promise<unknown>).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'overloaded', retryAfter: 1 });
    expect(own.workers).toHaveLength(1);
    expect((await Promise.all(runs.slice(0, 3))).map(({ width }) => width)).toEqual([1, 2, 3]);
    own.close();
    expect(await failure(own.run({ source: photo, target: target(), transform: transformOf('f_png') }))).toBe(
      'shutting_down',
    );
  });
});

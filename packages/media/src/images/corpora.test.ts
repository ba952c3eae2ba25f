import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageLab } from './image-lab.ts';

const MIB = 1024 * 1024;
let lab: ImageLab;
let good: Buffer;
const samples = new Map<string, Buffer>();

const FORMATS = [
  'jpeg',
  'progressive jpeg',
  'png',
  'interlaced png',
  'webp',
  'animated webp',
  'gif',
  'avif',
  'tiff',
  'heic',
  'svg',
];

beforeAll(async () => {
  lab = await ImageLab.open();
  const photo = sharp({
    create: {
      width: 60,
      height: 44,
      channels: 3,
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
      background: '#888',
    },
  }).withExif({ IFD0: { Copyright: 'Somebody' } });
  const frames = { raw: { width: 20, height: 60, channels: 4 as const, pageHeight: 20 } };
  const animation = sharp(Buffer.from(Array.from({ length: 4800 }, (_, at) => (at * 7) % 251)), frames);
  good = await photo.clone().png().toBuffer();
  const made: Record<string, Promise<Buffer>> = {
    jpeg: photo.clone().jpeg().toBuffer(),
    'progressive jpeg': photo.clone().jpeg({ progressive: true }).toBuffer(),
    png: Promise.resolve(good),
    'interlaced png': photo.clone().png({ progressive: true }).toBuffer(),
    webp: photo.clone().webp().toBuffer(),
    'animated webp': animation.clone().webp().toBuffer(),
    gif: animation.clone().gif().toBuffer(),
    avif: photo.clone().avif({ effort: 0 }).toBuffer(),
    tiff: photo.clone().tiff({ compression: 'lzw' }).toBuffer(),
    heic: readFile(new URL('./fixtures/four-colours.heic', import.meta.url)),
    svg: Promise.resolve(
      Buffer.from(
        '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="44"><defs><g id="a"><rect width="9" height="9"/></g></defs><use href="#a"/><text y="20">a</text></svg>',
      ),
    ),
  };
  for (const format of FORMATS) samples.set(format, await (made[format] as Promise<Buffer>));
});
afterAll(() => lab.close());

/** One way to damage a file, as zzuf and broken transfers do it. */
type Damage = {
  kind: 'cut' | 'flip' | 'drop' | 'repeat' | 'fill' | 'zeros';
  at: number;
  length: number;
  value: number;
};
const damages = fc.array(
  fc.record<Damage>({
    kind: fc.constantFrom('cut', 'flip', 'flip', 'flip', 'drop', 'repeat', 'fill', 'zeros'),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 64 }),
    value: fc.integer({ min: 0, max: 255 }),
  }),
  { minLength: 1, maxLength: 6 },
);

function damaged(bytes: Buffer, { kind, at, length, value }: Damage): Buffer {
  const from = Math.floor(at * bytes.length);
  const [before, part, after] = [
    bytes.subarray(0, from),
    bytes.subarray(from, from + length),
    bytes.subarray(from + length),
  ];
  switch (kind) {
    case 'cut':
      return Buffer.from(before);
    case 'drop':
      return Buffer.concat([before, after]);
    case 'repeat':
      return Buffer.concat([before, part, part, after]);
    case 'fill':
      return Buffer.concat([before, Buffer.alloc(part.length, value), after]);
    case 'zeros':
      return Buffer.concat([before, Buffer.alloc(length * 16), after]);
    case 'flip': {
      const copy = Buffer.from(bytes);
      if (from < copy.length) copy[from] = (copy[from] as number) ^ (value || 1);
      return copy;
    }
  }
}

const CLEAR = ['image_unreadable', 'image_too_large', 'invalid_request'];

describe('damaged files', () => {
  it.each(FORMATS)(
    'of %s are pictures or refused in words, and leave nothing',
    async (format) => {
      const sample = samples.get(format) as Buffer;
      expect(await lab.failure(sample, 'w_20,f_webp')).toBeNull();
      await fc.assert(
        fc.asyncProperty(
          damages,
          fc.constantFrom('w_20,f_webp', 'animated,f_gif', 'keep_exif.gps,f_jpeg'),
          async (list, steps) => {
            const bytes = list.reduce(damaged, sample);
            const failure = await lab.failure(bytes, steps);
            if (failure === null) return;
            expect(CLEAR).toContain(failure.code);
            expect(failure.message.length).toBeGreaterThan(10);
            expect(failure.message).not.toContain('carcosa-lab');
          },
        ),
        { numRuns: 60 },
      );
      expect(await lab.isEmpty()).toBe(true);
      expect(await lab.failure(good, 'w_9,f_png')).toBeNull();
    },
    120_000,
  );

  it('of no bytes, of one, and under the name of another format are told from pictures', async () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(4096),
      Buffer.from('%PDF-1.7\n'),
      Buffer.from('RIFF____WEBP'),
    ])
      expect(await lab.failure(bytes, 'f_png')).toMatchObject({ code: 'image_unreadable' });
    // A playlist that poses as a video, and a web page.
    for (const text of ['#EXTM3U\nfile:///etc/passwd\n', '<html><body>no</body></html>'])
      expect(await lab.failure(Buffer.from(text), 'f_png')).toMatchObject({ code: 'image_unreadable' });
  });
});

/** A GIF of so many frames of any size: twenty bytes a frame, most of which is missing. */
function gif(frames: number, width = 1, height = 1): Buffer {
  const head = Buffer.from('GIF89a\0\0\0\0\x80\0\0\xff\xff\xff\0\0\0', 'latin1');
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  const frame = Buffer.from('21f90400000000002c0000000001000100000202440100', 'hex');
  frame.writeUInt16LE(width, 13);
  frame.writeUInt16LE(height, 15);
  return Buffer.concat([head, ...Array.from({ length: frames }, () => frame), Buffer.from(';')]);
}

describe('bombs', () => {
  /** Peak resident memory of a process since it began, in bytes. */
  async function peak(pid: number): Promise<number> {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  const interlaced = (side: number) =>
    sharp({ create: { width: side, height: side, channels: 3, background: '#123456' } })
      .png({ progressive: true, compressionLevel: 9 })
      .toBuffer();
  const BOMBS: Record<string, () => Promise<Buffer> | Buffer> = {
    'an interlaced PNG of 16383 x 16383': () => interlaced(16_383),
    'a GIF of 10,000 frames': () => gif(10_000),
    'a GIF of 60000 x 60000': () => gif(1, 60_000, 60_000),
    'a GIF of 900 frames of 1000 x 1000': () => gif(900, 1000, 1000),
    'a PNG that says 65000 x 65000': async () => {
      const bytes = Buffer.from(good);
      bytes.writeUInt32BE(65_000, 16);
      bytes.writeUInt32BE(65_000, 20);
      const { crc32 } = await import('node:zlib');
      bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
      return bytes;
    },
    'a drawing of 30000 x 30000': () =>
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="30000" height="30000"/>'),
  };

  it.each(Object.keys(BOMBS))(
    'as %s are refused before they are decoded',
    async (name) => {
      const bytes = await (BOMBS[name] as () => Promise<Buffer> | Buffer)();
      expect(bytes.length).toBeLessThan(2 * MIB);
      const own = await ImageLab.open();
      try {
        expect(await own.failure(good, 'animated,f_webp')).toBeNull();
        const [pid] = own.pool.workers;
        const before = await peak(pid as number);
        const server = process.memoryUsage.rss();
        const steps = name.includes('900 frames') ? 'animated,w_10,f_webp' : 'w_10,f_webp';
        expect(await own.failure(bytes, steps)).toMatchObject({ code: 'image_too_large' });
        expect(own.pool.workers).toEqual([pid]);
        expect((await peak(pid as number)) - before).toBeLessThan(50 * MIB);
        expect(process.memoryUsage.rss() - server).toBeLessThan(50 * MIB);
        expect(await own.isEmpty()).toBe(true);
      } finally {
        await own.close();
      }
    },
    60_000,
  );

  it('just within the limits take no more memory than is allowed for', async () => {
    const own = await ImageLab.open();
    try {
      expect(await own.failure(good, 'w_10,f_webp')).toBeNull();
      const [pid] = own.pool.workers;
      const before = await peak(pid as number);
      expect(await own.failure(await interlaced(5_900), 'w_100,f_webp')).toBeNull();
      expect((await peak(pid as number)) - before).toBeLessThan(150 * MIB);
    } finally {
      await own.close();
    }
  }, 60_000);
});

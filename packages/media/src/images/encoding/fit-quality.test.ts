import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageLab } from '../image-lab.ts';
import { similarity } from './similarity.ts';

let lab: ImageLab;
let photo: Buffer;
let calm: Buffer;

beforeAll(async () => {
  lab = await ImageLab.open();
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 50 };
  const grain = sharp({ create: { width: 320, height: 240, channels: 3, noise, background: '#888' } });
  photo = await grain.clone().blur(1).png().toBuffer();
  calm = await grain.clone().blur(20).png().toBuffer();
});
afterAll(() => lab.close());

const raw = async (bytes: Buffer) => {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, ...info };
};

describe('the most bytes', () => {
  it.each(['jpeg', 'webp', 'avif'])('are kept to by %s, with the highest quality that does', async (format) => {
    const usual = await lab.make(photo, `f_${format}`);
    const most = Math.round(usual.length / 2);
    const made = await lab.make(photo, `f_${format},bytes_${most}`);
    expect(made.length).toBeLessThanOrEqual(most);
    expect(made.length).toBeGreaterThan(most * 0.7);
    expect((await lab.make(photo, `f_${format},bytes_1000000`)).equals(usual)).toBe(true);
  });

  it('are refused where nothing helps', async () => {
    expect(await lab.failure(photo, 'f_png,bytes_1000')).toMatchObject({ code: 'invalid_request' });
    expect(await lab.failure(photo, 'f_jpeg,bytes_600')).toMatchObject({ code: 'invalid_request' });
  });
});

describe('quality by likeness', () => {
  it.each(['jpeg', 'webp', 'avif'])(
    'of %s looks the same, for fewer bytes where the picture is calm',
    async (format) => {
      const [busy, easy] = [await lab.make(photo, `f_${format},q_auto`), await lab.make(calm, `f_${format},q_auto`)];
      expect(similarity(await raw(calm), await raw(easy))).toBeGreaterThan(0.98);
      expect(easy.length).toBeLessThan(busy.length / 3);
    },
  );

  it('is 1 for equal pictures, and less the more they differ', async () => {
    const original = await raw(photo);
    const worse = await Promise.all(
      [90, 50, 10].map(async (quality) => raw(await sharp(photo).jpeg({ quality }).toBuffer())),
    );
    const likeness = [original, ...worse].map((other) => similarity(original, other));
    expect(likeness[0]).toBeCloseTo(1, 10);
    expect([...likeness].sort((a, b) => b - a)).toEqual(likeness);
  });
});

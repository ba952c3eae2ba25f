import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageLab } from './image-lab.ts';

let lab: ImageLab;
let photo: Buffer;
let logo: Buffer;
let animation: Buffer;

const solid = (
  width: number,
  height: number,
  background: string | { r: number; g: number; b: number; alpha: number },
) =>
  sharp({ create: { width, height, channels: 4, background } })
    .png()
    .toBuffer();

beforeAll(async () => {
  lab = await ImageLab.open();
  photo = await sharp({
    create: {
      width: 300,
      height: 200,
      channels: 3,
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
      background: '#888',
    },
  })
    .blur(3)
    .png()
    .toBuffer();
  logo = await solid(40, 20, { r: 255, g: 0, b: 0, alpha: 0.5 });
  const frames = await Promise.all(['#f00', '#0f0', '#00f'].map((colour) => solid(60, 40, colour)));
  animation = await sharp(frames, { join: { animated: true } })
    .gif({ delay: [100, 200, 300], loop: 2 })
    .toBuffer();
});
afterAll(() => lab.close());

async function pixels(bytes: Buffer | Sharp, pages = 1) {
  const image = Buffer.isBuffer(bytes) ? sharp(bytes, { pages }) : bytes;
  const { data, info } = await image.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 4, (y * info.width + x) * 4 + 4)];
  return { data, width: info.width, height: info.height, at };
}

async function expectSame(made: Buffer, expected: Sharp): Promise<void> {
  const [one, other] = [await pixels(made), await pixels(await expected.png().toBuffer())];
  expect([one.width, one.height]).toEqual([other.width, other.height]);
  expect(one.data.equals(other.data)).toBe(true);
}

describe('an overlay', () => {
  const over = (left: number, top: number) => sharp(photo).composite([{ input: logo, left, top }]);

  it.each<[string, () => Sharp]>([
    ['', () => over(130, 90)],
    ['og_northwest,ox_5,oy_7', () => over(5, 7)],
    ['og_southeast,ox_5,oy_7', () => over(255, 173)],
    ['og_north,oy_9', () => over(130, 9)],
    ['og_southeast,ox_-20', () => over(280, 180)],
    ['tile', () => sharp(photo).composite([{ input: logo, tile: true, gravity: 'northwest' }])],
    ['blend_multiply', () => sharp(photo).composite([{ input: logo, left: 130, top: 90, blend: 'multiply' }])],
    ['blend_color-dodge', () => sharp(photo).composite([{ input: logo, left: 130, top: 90, blend: 'colour-dodge' }])],
    ['blend_dest-out', () => sharp(photo).composite([{ input: logo, left: 130, top: 90, blend: 'dest-out' }])],
  ])('with %s lies where the library puts it', async (steps, expected) => {
    await expectSame(await lab.make(photo, `f_png,overlay_a.png${steps && `,${steps}`}`, [logo]), expected());
  });

  it('is made smaller, fainter, and never larger than the picture', async () => {
    const small = await sharp(logo).resize({ width: 20, height: 200, fit: 'inside' }).png().toBuffer();
    await expectSame(
      await lab.make(photo, 'f_png,overlay_a.png,ow_20,og_northwest', [logo]),
      sharp(photo).composite([{ input: small, left: 0, top: 0 }]),
    );
    const none = await lab.make(photo, 'f_png,overlay_a.png,oo_0', [logo]);
    await expectSame(none, sharp(photo));
    const huge = await pixels(await lab.make(photo, 'f_png,overlay_a.png', [await solid(900, 900, '#00ff00')]));
    expect([huge.width, huge.height, huge.at(150, 100)]).toEqual([300, 200, [0, 255, 0, 255]]);
  });

  it('may be a drawing, and a hostile one fails as an original would', async () => {
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10" fill="#00f"/></svg>',
    );
    const { at } = await pixels(await lab.make(photo, 'f_png,overlay_a.svg,ow_50,oh_50', [svg]));
    expect([at(150, 100), at(126, 76)]).toEqual([
      [0, 0, 255, 255],
      [0, 0, 255, 255],
    ]);
    expect(await lab.failure(photo, 'f_png,overlay_a', [Buffer.from('no picture')])).toMatchObject({
      code: 'image_unreadable',
    });
  });

  it('of each group is its own', async () => {
    const [red, blue] = [await solid(10, 10, '#f00'), await solid(10, 10, '#00f')];
    const { at } = await pixels(
      await lab.make(photo, 'f_png,overlay_a,og_northwest,then,overlay_b,og_southeast', [red, blue]),
    );
    expect([at(2, 2), at(297, 197)]).toEqual([
      [255, 0, 0, 255],
      [0, 0, 255, 255],
    ]);
  });
});

describe('a text', () => {
  it('is drawn in its colour, at its place, within the picture', async () => {
    const black = await solid(400, 100, '#000');
    const { data, at } = await pixels(await lab.make(black, 'f_png,text_HHHH,tg_west,ts_60,tc_00ff00'));
    const lit: number[] = [];
    for (let index = 1; index < data.length; index += 4)
      if ((data[index] as number) > 200) lit.push(((index - 1) / 4) % 400);
    expect(lit.length).toBeGreaterThan(500);
    expect(Math.max(...lit)).toBeLessThan(250);
    expect(at(399, 50)).toEqual([0, 0, 0, 255]);
    const long = await pixels(await lab.make(black, `f_png,text_${'W'.repeat(200)},ts_100`));
    expect([long.width, long.height]).toEqual([400, 100]);
    const endless = await lab.failure(black, `f_png,text_${'W'.repeat(200)},ts_900`);
    expect(endless).toMatchObject({ code: 'invalid_request', message: expect.stringContaining('smaller') });
  });

  it('is never markup', async () => {
    const black = await solid(300, 60, '#000');
    for (const text of ['<b>', '</span><span size="999999">', '&amp;', '&#60;', '<!--']) {
      expect(await lab.failure(black, `f_png,text_${encodeURIComponent(text)}`)).toBeNull();
    }
    const [markup, plain] = [
      await lab.make(black, 'f_png,text_%3Cb%3EA%3C%2Fb%3E'),
      await lab.make(black, 'f_png,text_A'),
    ];
    expect(markup.equals(plain)).toBe(false);
  });
});

describe('round corners', () => {
  it.each([
    ['round_40', 40],
    ['round_max', 100],
    ['round_4000', 100],
  ])('%s are cut as a mask of the same radius cuts them', async (steps, radius) => {
    const mask = Buffer.from(
      `<svg width="300" height="200"><rect width="300" height="200" rx="${radius}" fill="#fff"/></svg>`,
    );
    const expected = await pixels(
      await sharp(photo)
        .ensureAlpha()
        .composite([{ input: mask, blend: 'dest-in' }])
        .png()
        .toBuffer(),
    );
    const made = await pixels(await lab.make(photo, `f_png,${steps}`));
    let worst = 0;
    for (let at = 3; at < made.data.length; at += 4)
      worst = Math.max(worst, Math.abs((made.data[at] as number) - (expected.data[at] as number)));
    // The library smooths edges a little otherwise.
    expect(worst).toBeLessThan(70);
    expect([made.at(0, 0)[3], made.at(299, 199)[3], made.at(150, 100)[3]]).toEqual([0, 0, 255]);
  });

  it('lie on the background where the format has no transparency', async () => {
    const { at } = await pixels(await lab.make(photo, 'f_jpeg,round_40,bg_00ff00'));
    const [r = 0, g = 0, b = 0] = at(0, 0);
    expect(g).toBeGreaterThan(r + 150);
    expect(g).toBeGreaterThan(b + 150);
    const white = await pixels(await lab.make(photo, 'f_jpeg,round_40'));
    expect(Math.min(...white.at(0, 0))).toBeGreaterThan(240);
  });
});

describe('groups of steps', () => {
  it('work on the result of the one before', async () => {
    const half = await sharp(photo).resize(150, 100).png().toBuffer();
    await expectSame(
      await lab.make(photo, 'f_png,w_150,h_100,then,crop_10x10x50x50,then,rotate_90'),
      sharp(await sharp(half).extract({ left: 10, top: 10, width: 50, height: 50 }).png().toBuffer()).rotate(90),
    );
    expect(await lab.failure(photo, 'f_png,w_30,then,crop_0x0x40x10')).toMatchObject({ code: 'invalid_request' });
  });
});

describe('a focal point', () => {
  it.each([
    ['focal_0x0.5', 0],
    ['focal_1x0.5', 200],
    ['focal_0.5x0.5', 100],
    ['focal_0.6x0.1', 130],
  ])('%s stays in what is kept', async (focal, left) => {
    await expectSame(
      await lab.make(photo, `f_png,w_100,h_200,${focal}`),
      sharp(photo).extract({ left, top: 0, width: 100, height: 200 }),
    );
  });

  it('is looked for where it is after turning and cutting, and never lets a picture grow', async () => {
    await expectSame(
      await lab.make(photo, 'f_png,crop_100x0x200x200,w_50,h_200,focal_1x0'),
      sharp(photo).extract({ left: 250, top: 0, width: 50, height: 200 }),
    );
    const small = await pixels(await lab.make(photo, 'f_png,w_900,h_100,focal_0x0'));
    expect([small.width, small.height]).toEqual([300, 100]);
    const grown = await pixels(await lab.make(photo, 'f_png,w_900,h_100,focal_0x0,enlarge'));
    expect([grown.width, grown.height]).toEqual([900, 100]);
  });
});

describe('animations and pages', () => {
  it('keep all frames with their times where that is asked for, else one', async () => {
    for (const format of ['webp', 'gif']) {
      const whole = await sharp(await lab.make(animation, `animated,w_30,f_${format}`), { pages: -1 }).metadata();
      expect(whole).toMatchObject({ pages: 3, width: 30, pageHeight: 20, delay: [100, 200, 300], loop: 2 });
      expect((await sharp(await lab.make(animation, `w_30,f_${format}`), { pages: -1 }).metadata()).pages ?? 1).toBe(1);
    }
    const second = await pixels(await lab.make(animation, 'page_2,f_png'));
    expect(second.at(30, 20)).toEqual([0, 255, 0, 255]);
    expect(await lab.failure(animation, 'page_4,f_png')).toMatchObject({ code: 'invalid_request' });
    expect(await lab.failure(photo, 'page_2,f_png')).toMatchObject({ code: 'invalid_request' });
  });

  it('have overlays and corners on each frame', async () => {
    const blue = await solid(10, 10, '#ffffff');
    const bytes = await lab.make(animation, 'animated,f_webp,overlay_a,og_southeast,round_8,q_100', [blue]);
    const { at } = await pixels(bytes, -1);
    const colours = [0, 1, 2].map((frame) =>
      at(20, frame * 40 + 20)
        .map((value) => (value > 128 ? 1 : 0))
        .join(''),
    );
    expect(colours).toEqual(['1001', '0101', '0011']);
    for (const frame of [0, 1, 2]) {
      expect(at(0, frame * 40)[3]).toBe(0);
      expect(Math.min(...at(53, frame * 40 + 33))).toBeGreaterThan(230);
    }
    expect(await sharp(bytes, { pages: -1 }).metadata()).toMatchObject({ pages: 3, delay: [100, 200, 300] });
  });

  it('of documents are those of TIFF', async () => {
    const pages = await Promise.all(['#f00', '#0f0'].map((colour) => solid(20, 20, colour)));
    const tiff = await sharp(pages, { join: { animated: true } })
      .tiff()
      .toBuffer();
    expect((await pixels(await lab.make(tiff, 'page_2,f_png'))).at(5, 5).map((value) => (value > 128 ? 1 : 0))).toEqual(
      [0, 1, 0, 1],
    );
  });
});

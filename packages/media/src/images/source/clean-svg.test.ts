import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageLab } from '../image-lab.ts';
import { cleanSvg, UncleanDrawing } from './clean-svg.ts';

let lab: ImageLab;
beforeAll(async () => {
  lab = await ImageLab.open();
});
afterAll(() => lab.close());

const svg = (inner: string, size = 'width="100" height="100"') =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${size}>${inner}</svg>`,
  );

describe('a drawing', () => {
  it('comes out as large as it is wanted, with sharp edges', async () => {
    const drawing = svg('<rect width="50" height="100" fill="#f00"/>');
    const { data, info } = await sharp(await lab.make(drawing, 'w_1000,h_1000,f_png'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([1000, 1000]);
    const opacity = (x: number): number => data[(500 * 1000 + x) * info.channels + 3] as number;
    expect([opacity(490), opacity(510)]).toEqual([255, 0]);
    const natural = await sharp(await lab.make(drawing, 'f_webp')).metadata();
    expect([natural.width, natural.height]).toEqual([100, 100]);
  });

  it.each([
    ['<script>alert(1)</script>'],
    ['<foreignObject><iframe src="https://example.com"/></foreignObject>'],
    ['<image href="file:///etc/passwd" width="9" height="9"/>'],
    ['<image xlink:href="https://example.com/a.png" width="9" height="9"/>'],
    ['<image href="data:image/svg+xml;base64,PHN2Zy8+" width="9" height="9"/>'],
    ['<use href="https://example.com/a.svg#b"/>'],
    ['<rect onload="alert(1)" width="9" height="9"/>'],
    ['<style>@import url(https://example.com/a.css); rect { fill: url("https://example.com/b") }</style>'],
    ['<style><![CDATA[ @import "https://example.com/a.css"; ]]></style>'],
    ['<rect style="fill: url(https://example.com/a#b)" width="9" height="9"/>'],
  ])('is cleaned of %s', async (inner) => {
    const clean = cleanSvg(svg(inner).toString());
    for (const word of ['alert', 'example.com', 'passwd', 'data:image/svg', 'iframe'])
      expect(clean).not.toContain(word);
    expect(await lab.failure(svg(`${inner}<rect width="9" height="9"/>`), 'f_png')).toBeNull();
  });

  it('keeps what belongs to it', () => {
    const inner =
      '<defs><linearGradient id="a"><stop stop-color="#f00"/></linearGradient></defs><rect fill="url(#a)" width="5" height="5"/><use href="#b"/><image href="data:image/png;base64,AAAA"/><text>1 &lt; 2</text>';
    expect(cleanSvg(svg(inner).toString())).toBe(svg(inner).toString());
  });

  it.each<[string, Buffer]>([
    ['declares entities', Buffer.from('<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['is nested deeply', svg(`${'<g>'.repeat(5000)}${'</g>'.repeat(5000)}`)],
    ['has a million elements', svg('<g/>'.repeat(100_000))],
    ['refers to itself again and again', svg('<g id="a"><use href="#a"/></g>'.repeat(1200))],
  ])('is refused when it %s', async (_what, bytes) => {
    expect(await lab.failure(bytes, 'f_png')).toMatchObject({ code: 'image_unreadable' });
  });

  it.each<[string, Buffer]>([
    ['too many bytes', svg(`<!--${'a'.repeat(1_100_000)}-->`)],
    ['too many pixels', svg('', 'width="30000" height="30000"')],
  ])('is refused for %s', async (_what, bytes) => {
    expect(await lab.failure(bytes, 'f_png')).toMatchObject({ code: 'image_too_large' });
  });

  it('that grows by references is ended in time', async () => {
    const levels = Array.from(
      { length: 12 },
      (_, at) => `<g id="l${at + 1}">${`<use href="#l${at}"/>`.repeat(10)}</g>`,
    );
    const bytes = svg(`<defs><rect id="l0" width="1" height="1"/>${levels.join('')}</defs><use href="#l12"/>`);
    const failure = await lab.failure(bytes, 'f_png');
    expect(failure === null || failure.code.startsWith('image_')).toBe(true);
    expect(await lab.failure(svg('<rect width="9" height="9"/>'), 'f_png')).toBeNull();
  }, 60_000);

  it('of any text whatever is cleaned or refused', () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '/',
      '"',
      "'",
      '!',
      '[',
      ']',
      '-',
      '?',
      'svg',
      'script',
      ' ',
      'on',
      '=',
      'x:',
      '&',
      'href',
      '<g',
      '</g>',
      '<![CDATA[',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        try {
          expect(cleanSvg(parts.join(''))).not.toMatch(/<script[\s>][^<]*>/i);
        } catch (error) {
          expect(error).toBeInstanceOf(UncleanDrawing);
        }
      }),
    );
  });
});

describe('HEIC', () => {
  const heic = () => readFile(new URL('../fixtures/four-colours.heic', import.meta.url));

  it('is read into its colours', async () => {
    const { data, info } = await sharp(await lab.make(await heic(), 'f_png'))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([96, 64]);
    const at = (x: number, y: number) =>
      [0, 1, 2].map((channel) => ((data[(y * 96 + x) * 3 + channel] as number) > 128 ? 1 : 0)).join('');
    expect([at(20, 16), at(70, 16), at(20, 48), at(70, 48)]).toEqual(['100', '010', '001', '110']);
  });

  it('may not be too large, or be cut off', async () => {
    const own = await ImageLab.open({ heicPixels: 100 });
    expect(await own.failure(await heic(), 'f_png')).toMatchObject({ code: 'image_too_large' });
    await own.close();
    const whole = await heic();
    for (const length of [12, 40, 200, 400]) {
      expect(await lab.failure(whole.subarray(0, length), 'f_png')).toMatchObject({ code: 'image_unreadable' });
    }
  });
});

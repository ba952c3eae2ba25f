import { isCarcosaError } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printTransform, printTransformQuery, transformAddress, withoutDefaults } from './canonical.ts';
import { FIELD_NAMES, type FieldName } from './fields.ts';
import { parseTransformQuery, parseTransformSteps } from './parse.ts';
import {
  BLENDS,
  DEFAULT_QUALITY,
  FITS,
  IMAGE_FORMATS,
  type ImageTransform,
  KEPT_METADATA,
  PLACES,
  STRATEGIES,
} from './transform.ts';

const thousandths = (min: number, max: number) =>
  fc.integer({ min: min * 1000, max: max * 1000 }).map((value) => value / 1000);
const flag = fc.constantFrom(true as const, undefined);
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));

const side = fc.integer({ min: 1, max: 6000 });
const offset = fc.integer({ min: -8192, max: 8192 });
const colour = fc.oneof(
  hex(6),
  hex(8).filter((digits) => !digits.endsWith('ff')),
);
/** What addresses have to carry: commas, percent signs, slashes, letters of other scripts. */
const words = fc
  .string({ unit: fc.constantFrom('a', 'Z', '9', ' ', ',', '%', '_', '/', '&', '=', '+', '?', '#', 'é', '日', '😀') })
  .map((text) => text.trim())
  .filter((text) => text !== '' && text.length <= 200);
const segment = words.map((text) => text.replaceAll('/', '-')).filter((text) => !/^\.{1,2}$/.test(text));
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));

const stepFields = {
  crop: fc.record({ x: fc.nat(9999), y: fc.nat(9999), width: side, height: side }),
  trim: fc.integer({ min: 1, max: 99 }),
  rotate: fc.nat(359),
  width: side,
  height: side,
  fit: fc.constantFrom(...FITS),
  gravity: fc.constantFrom(...PLACES, ...STRATEGIES, 'focal' as const),
  focal: fc.record({ x: thousandths(0, 1), y: thousandths(0, 1) }),
  enlarge: flag,
  flip: flag,
  flop: flag,
  pad: fc.nat(1000),
  background: colour,
  blur: thousandths(0.3, 100),
  sharpen: thousandths(0.1, 10),
  brightness: thousandths(0, 4),
  saturation: thousandths(0, 4),
  contrast: thousandths(0, 4),
  hue: fc.nat(359),
  tint: hex(6),
  grayscale: flag,
  overlay: path,
  overlayGravity: fc.constantFrom(...PLACES),
  overlayX: offset,
  overlayY: offset,
  overlayWidth: side,
  overlayHeight: side,
  overlayOpacity: thousandths(0, 1),
  blend: fc.constantFrom(...BLENDS),
  tile: flag,
  text: words,
  textGravity: fc.constantFrom(...PLACES),
  textX: offset,
  textY: offset,
  textSize: fc.integer({ min: 4, max: 1000 }),
  textColour: colour,
  round: fc.oneof(fc.integer({ min: 1, max: 4096 }), fc.constant('max' as const)),
};
const steps = fc.record(stepFields, { requiredKeys: [] }).filter(({ fit = 'cover', gravity, focal }) => {
  const isStrategy = ['attention', 'entropy'].includes(gravity ?? '');
  return (fit === 'cover' || !isStrategy) && (focal === undefined || gravity === undefined || gravity === 'focal');
});
const whole = fc.record(
  {
    preset: fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/),
    page: fc.integer({ min: 1, max: 10_000 }),
    keep: fc.subarray([...KEPT_METADATA], { minLength: 1 }).map((names) => names.sort()),
    format: fc.constantFrom(...IMAGE_FORMATS, 'auto' as const),
    quality: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant('auto' as const)),
    maxBytes: fc.integer({ min: 500, max: 1_000_000 }),
  },
  { requiredKeys: [] },
);
/** Without the colour profile, which goes with few steps, and without what contradicts itself. */
const transforms: fc.Arbitrary<ImageTransform> = fc
  .tuple(steps, whole, fc.array(steps, { maxLength: 3 }))
  .filter(([, { quality, maxBytes }]) => quality !== 'auto' || maxBytes === undefined)
  .map(([first, { keep, ...rest }, next]) => {
    const kept = keep?.filter((name) => name !== 'icc') ?? [];
    return withoutDefaults({ ...first, ...rest, ...(kept.length > 0 ? { keep: kept } : {}), next });
  });

/** One of the many ways to write a transform, by numbers that choose. */
function spelling(transform: ImageTransform, choose: (count: number) => number): [string, string][] {
  const written: Partial<Record<FieldName, string>> = {};
  for (const [field, value] of Object.entries(transform)) {
    const { x, y, width, height } = value as { x: number; y: number; width: number; height: number };
    if (field === 'crop') written.crop = [x, y, width, height].join('x');
    else if (field === 'focal') written.focal = [x, y].join('x');
    else if (field === 'keep') written.keep = [...(value as string[])].reverse().join('+');
    else if (field !== 'next') written[field as FieldName] = String(value);
  }
  const maybe = (field: FieldName, text: string): void => {
    if (written[field] === undefined && choose(2) === 1) written[field] = text;
  };
  maybe('flip', 'false');
  maybe('grayscale', '0');
  maybe('brightness', '1.0');
  maybe('hue', '360');
  maybe('pad', '0');
  maybe('strip', 'true');
  maybe('page', '1');
  maybe('animated', 'false');
  if (transform.overlay === undefined) maybe('overlayX', '9');
  else maybe('blend', 'over');
  maybe('textSize', '32');
  maybe('dpr', '1');
  if (transform.fit === undefined) maybe('fit', 'cover');
  if (transform.focal === undefined) maybe('gravity', 'centre');
  const usual = transform.format && transform.format !== 'auto' ? DEFAULT_QUALITY[transform.format] : null;
  if (usual !== null) maybe('quality', String(usual));
  if (transform.rotate !== undefined && choose(2) === 1) written.rotate = String(transform.rotate - 360);
  if (transform.format === 'jpeg' && choose(2) === 1) written.format = 'jpg';
  if (transform.background && choose(2) === 1) written.background = `#${transform.background.toUpperCase()}`;
  if (transform.flop && choose(2) === 1) written.flop = '';
  const pairs = Object.entries(written).map(([field, text]): [string, string] => {
    const names = FIELD_NAMES[field as FieldName];
    return [names[choose(names.length)] as string, text];
  });
  // Any order.
  for (let at = pairs.length - 1; at > 0; at--) {
    const other = choose(at + 1);
    [pairs[at], pairs[other]] = [pairs[other] as [string, string], pairs[at] as [string, string]];
  }
  return pairs;
}

/** Those without a chain: its groups are spelled one by one. */
const firstOnly = ({ next: _, ...transform }: ImageTransform): ImageTransform => withoutDefaults(transform);

describe('the grammar of transforms', () => {
  it('makes an address of any transform that is read as what it was', () => {
    fc.assert(
      fc.property(transforms, path, (transform, file) => {
        const [, , project, text, ...rest] = transformAddress('prj_1', transform, file).split('/');
        expect(project).toBe('prj_1');
        // As the router decodes it.
        expect(parseTransformSteps(decodeURIComponent(text as string))).toEqual(transform);
        expect(rest.map(decodeURIComponent).join('/')).toBe(file);
      }),
      { numRuns: 300 },
    );
  });

  it('reads what it prints, in both forms', () => {
    fc.assert(
      fc.property(transforms, (transform) => {
        expect(parseTransformSteps(printTransform(transform))).toEqual(transform);
        const query = new URLSearchParams(printTransformQuery(transform));
        expect(parseTransformQuery(query)).toEqual(transform);
      }),
      { numRuns: 1000 },
    );
  });

  it('makes one text of a thousand spellings of a transform', () => {
    fc.assert(
      fc.property(transforms.map(firstOnly), fc.infiniteStream(fc.nat(1_000_000)), (transform, numbers) => {
        const choose = (count: number): number => Number(numbers.next().value) % count;
        const canonical = printTransform(transform);
        for (let at = 0; at < 1000; at++) {
          const pairs = spelling(transform, choose);
          expect(printTransform(parseTransformQuery(pairs))).toBe(canonical);
        }
      }),
      { numRuns: 8 },
    );
  });

  it.each([
    ['w_800,h_600,f_webp,q_80', 'f_webp,h_600,w_800'],
    ['w_400,dpr_2', 'w_800'],
    ['h_300,w_400,dpr_1.5,fit_contain', 'fit_contain,h_450,w_600'],
    ['w_400,fit_contain,g_north', 'w_400'],
    ['trim', 'trim_10'],
    ['rotate_-90', 'rotate_270'],
    ['bg_FFF,f_jpg', 'bg_ffffff,f_jpeg'],
    ['f_png,q_30', 'f_png'],
    ['enlarge', 'original'],
    ['original', 'original'],
    ['w_100,then,then,blur_2', 'w_100,then,blur_2'],
    ['then,f_png,w_100', 'f_png,w_100'],
    ['w_100,then,dpr_2,w_40,q_30', 'q_30,w_100,then,w_80'],
    ['text_50%25%20off%2C%20now', 'text_50%25%20off%2C%20now'],
    ['overlay_marks/logo.png,og_southeast,ox_0', 'og_southeast,overlay_marks%2Flogo.png'],
    ['og_north,w_10', 'w_10'],
    ['g_focal,w_10,h_10,focal_0.5x0.25', 'focal_0.5x0.25,h_10,w_10'],
    ['focal_0.5x0.25,w_10', 'w_10'],
    ['animated,f_jpeg', 'f_jpeg'],
    ['keep_icc.exif,page_1', 'keep_exif.icc'],
  ])('%s is %s', (written, canonical) => {
    expect(printTransform(parseTransformSteps(written))).toBe(canonical);
  });

  it.each([
    ['w=0', 'w'],
    ['w=30000', 'w'],
    ['width=8e2', 'width'],
    ['w=-1', 'w'],
    ['w=', 'w'],
    ['w=1&width=1', 'width'],
    ['h=8192&w=8192', 'width'],
    ['w=8000&dpr=2', 'dpr'],
    ['fit=stretch', 'fit'],
    ['fit=__proto__', 'fit'],
    ['gravity=attention&fit=inside&w=1&h=1', 'gravity'],
    ['format=exe', 'format'],
    ['quality=101', 'quality'],
    ['blur=1000', 'blur'],
    ['bg=reddish', 'bg'],
    ['strip=false', 'strip'],
    ['keep=all', 'keep'],
    ['keep=icc&text=a', 'keep'],
    ['text=', 'text'],
    [`text=${'a'.repeat(201)}`, 'text'],
    ['text=a%00b', 'text'],
    ['overlay=../secret', 'overlay'],
    ['focal=0.5x2', 'focal'],
    ['focal=0.5x0.5&g=north&w=1&h=1', 'focal'],
    ['animated&trim', 'trim'],
    ['bytes=10', 'bytes'],
    ['bytes=1000&q=auto', 'quality'],
    ['round=max1', 'round'],
    ['preset=..', 'preset'],
    ['blur=1&then&w=9&then&w=8&then&w=7&then&w=6', 'then'],
    ['w=1&then&w=0', 'w'],
    ['crop=0,0,0,5', 'crop'],
    ['constructor=1', 'constructor'],
    ['load=http://example.com', 'load'],
  ])('refuses %s and says that %s is wrong', (query, field) => {
    let thrown: unknown;
    try {
      parseTransformQuery(new URLSearchParams(query));
    } catch (error) {
      thrown = error;
    }
    if (!isCarcosaError(thrown, 'invalid_request')) throw new Error('it was not refused');
    expect(thrown.details).toMatchObject({ fields: [{ field }] });
  });

  it('answers any text whatever with a transform or `invalid_request`', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^([a-z]{1,10}_?[0-9a-z.x-]{0,9},?){0,6}$/),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const transform = parseTransformSteps(text);
          expect(parseTransformSteps(printTransform(transform))).toEqual(transform);
        } catch (error) {
          expect(isCarcosaError(error, 'invalid_request')).toBe(true);
        }
      }),
    );
  });
});

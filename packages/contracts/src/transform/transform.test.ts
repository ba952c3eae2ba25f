import { isCarcosaError } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printTransform, printTransformQuery, withoutDefaults } from './canonical.ts';
import { FIELD_NAMES, type FieldName } from './fields.ts';
import { parseTransformQuery, parseTransformSteps } from './parse.ts';
import { DEFAULT_QUALITY, FITS, IMAGE_FORMATS, type ImageTransform, PLACES, STRATEGIES } from './transform.ts';

const thousandths = (min: number, max: number) =>
  fc.integer({ min: min * 1000, max: max * 1000 }).map((value) => value / 1000);
const flag = fc.constantFrom(true as const, undefined);
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));

const transforms: fc.Arbitrary<ImageTransform> = fc
  .record(
    {
      crop: fc.record({
        x: fc.nat(9999),
        y: fc.nat(9999),
        width: fc.integer({ min: 1, max: 9999 }),
        height: fc.integer({ min: 1, max: 9999 }),
      }),
      trim: fc.integer({ min: 1, max: 99 }),
      rotate: fc.nat(359),
      width: fc.integer({ min: 1, max: 6000 }),
      height: fc.integer({ min: 1, max: 6000 }),
      fit: fc.constantFrom(...FITS),
      gravity: fc.constantFrom(...PLACES, ...STRATEGIES),
      enlarge: flag,
      flip: flag,
      flop: flag,
      pad: fc.nat(1000),
      background: fc.oneof(
        hex(6),
        hex(8).filter((digits) => !digits.endsWith('ff')),
      ),
      blur: thousandths(0.3, 100),
      sharpen: thousandths(0.1, 10),
      brightness: thousandths(0, 4),
      saturation: thousandths(0, 4),
      contrast: thousandths(0, 4),
      hue: fc.nat(359),
      tint: hex(6),
      grayscale: flag,
      format: fc.constantFrom(...IMAGE_FORMATS, 'auto' as const),
      quality: fc.integer({ min: 1, max: 100 }),
    },
    { requiredKeys: [] },
  )
  .filter(({ fit = 'cover', gravity }) => fit === 'cover' || !['attention', 'entropy'].includes(gravity ?? ''))
  .map((written) => withoutDefaults(written));

/** One of the many ways to write a transform, by numbers that choose. */
function spelling(transform: ImageTransform, choose: (count: number) => number): [string, string][] {
  const written: Partial<Record<FieldName, string>> = {};
  for (const [field, value] of Object.entries(transform)) {
    const { x, y, width, height } = value as { x: number; y: number; width: number; height: number };
    written[field as FieldName] = field === 'crop' ? [x, y, width, height].join('x') : String(value);
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
  maybe('dpr', '1');
  if (transform.fit === undefined) maybe('fit', 'cover');
  maybe('gravity', 'centre');
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

describe('the grammar of transforms', () => {
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
      fc.property(transforms, fc.infiniteStream(fc.nat(1_000_000)), (transform, numbers) => {
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

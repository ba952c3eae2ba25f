import { parseTransformQuery, parseTransformSteps, printTransform } from '@carcosa/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TransformOptions, transformSteps, transformUrl } from './url.ts';

const decimal = (min: number, max: number) =>
  fc.integer({ min: min * 10_000, max: max * 10_000 }).map((value) => value / 10_000);
const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-fA-F]{${length}}$`));
const colour = fc.oneof(
  digits(3),
  digits(6),
  fc.constantFrom('white', 'black'),
  digits(6).map((text) => `#${text}`),
);
const flag = fc.boolean();
const side = fc.integer({ min: 1, max: 2000 });

const options: fc.Arbitrary<TransformOptions> = fc
  .record(
    {
      width: side,
      height: side,
      fit: fc.constantFrom('cover', 'contain', 'fill', 'inside', 'outside'),
      gravity: fc.constantFrom('center', 'north', 'southwest', 'attention', 'entropy'),
      dpr: decimal(0.1, 3),
      enlarge: flag,
      crop: fc.record({ x: fc.nat(999), y: fc.nat(999), width: side, height: side }),
      trim: fc.oneof(
        flag,
        fc.integer({ min: 0, max: 99 }).filter((value) => value !== 0),
      ),
      rotate: fc.integer({ min: -720, max: 720 }),
      flip: flag,
      flop: flag,
      pad: fc.nat(1000),
      background: fc.oneof(colour, digits(8), digits(4), fc.constant('transparent')),
      blur: fc.oneof(flag, decimal(0.3, 100)),
      sharpen: fc.oneof(flag, decimal(0.1, 10)),
      brightness: decimal(0, 4),
      saturation: decimal(0, 4),
      contrast: decimal(0, 4),
      hue: fc.integer({ min: -720, max: 720 }),
      tint: colour,
      grayscale: flag,
      format: fc.constantFrom('jpeg', 'png', 'webp', 'avif', 'gif', 'auto'),
      quality: fc.integer({ min: 1, max: 100 }),
    },
    { requiredKeys: [] },
  )
  .filter(
    ({ fit = 'cover', gravity = '' }) => fit === 'cover' || !['attention', 'entropy'].includes(gravity),
  ) as fc.Arbitrary<TransformOptions>;

/** The options as somebody would write them into an address by hand. */
function written(transform: TransformOptions): [string, string][] {
  return Object.entries(transform).map(([name, value]) => {
    if (name !== 'crop') return [name, String(value)];
    const { x, y, width, height } = value as { x: number; y: number; width: number; height: number };
    return [name, [x, y, width, height].join('x')];
  });
}

describe('transformSteps', () => {
  it('prints what the server takes for the canonical form, whatever the options', () => {
    fc.assert(
      fc.property(options, (transform) => {
        const steps = transformSteps(transform);
        expect(printTransform(parseTransformSteps(steps))).toBe(steps);
        expect(steps).toBe(printTransform(parseTransformQuery(written(transform))));
      }),
      { numRuns: 2000 },
    );
  });

  it('says "original" where nothing is done', () => {
    expect(transformSteps()).toBe('original');
    expect(transformSteps({ fit: 'contain', flip: false, rotate: 360 })).toBe('original');
  });
});

describe('transformUrl', () => {
  const place = { url: 'https://files.example.com/', projectId: 'prj_1' };

  it('encodes the path, segment by segment', () => {
    const url = transformUrl({ ...place, file: 'a b/c?d#e%/ü.jpg', transform: { width: 800, format: 'webp' } });
    expect(url).toBe('https://files.example.com/t/prj_1/f_webp,w_800/a%20b/c%3Fd%23e%25/%C3%BC.jpg');
  });

  it('names the version of a file that was replaced, and its tenant', () => {
    const file = { path: 'a.jpg', version: 3, tenantId: 'ten_1' };
    expect(transformUrl({ ...place, file })).toBe(
      'https://files.example.com/t/prj_1/original/a.jpg?v=3&tenantId=ten_1',
    );
    expect(transformUrl({ ...place, file: { ...file, version: 1, tenantId: null } })).toMatch(/a\.jpg$/);
  });

  it('refuses an address without a path', () => {
    expect(() => transformUrl({ ...place, file: '' })).toThrow(/path/);
  });
});

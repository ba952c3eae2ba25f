import { FITS, IMAGE_FORMATS, MAX_SIDE, PLACES, STRATEGIES } from './transform.ts';

/** What a field is called: the first name is its short one, which is printed; all are read. */
export const FIELD_NAMES = {
  width: ['w', 'width'],
  height: ['h', 'height'],
  fit: ['fit'],
  gravity: ['g', 'gravity', 'position'],
  dpr: ['dpr'],
  enlarge: ['enlarge'],
  crop: ['crop'],
  trim: ['trim'],
  rotate: ['rotate'],
  flip: ['flip'],
  flop: ['flop'],
  pad: ['pad'],
  background: ['bg', 'background'],
  blur: ['blur'],
  sharpen: ['sharpen'],
  brightness: ['brightness'],
  saturation: ['saturation'],
  contrast: ['contrast'],
  hue: ['hue'],
  tint: ['tint'],
  grayscale: ['grayscale', 'greyscale', 'gray'],
  format: ['f', 'format'],
  quality: ['q', 'quality'],
  strip: ['strip'],
} as const;

/** What a short form says where nothing is done. */
export const NO_STEPS = 'original';

export type FieldName = keyof typeof FIELD_NAMES;

/** A value that could be read, or what it should be. */
export type Reading = { readonly value: unknown } | { readonly expected: string };
type Reader = (text: string) => Reading;

const ok = (value: unknown): Reading => ({ value });
const no = (expected: string): Reading => ({ expected });

const whole =
  (min: number, max: number): Reader =>
  (text) => {
    const value = /^-?\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? ok(value) : no(`a whole number from ${min} to ${max}`);
  };

/** At most three decimals are told apart. */
const decimal =
  (min: number, max: number): Reader =>
  (text) => {
    const number = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
    const value = Math.round(number * 1000) / 1000;
    return value >= min && value <= max ? ok(value) : no(`a number from ${min} to ${max}`);
  };

const flag: Reader = (text) => {
  if (['', '1', 'true'].includes(text)) return ok(true);
  return ['0', 'false'].includes(text) ? ok(false) : no('true or false');
};

/** A number, or what `true` stands for; `false` is none. */
const numberOrFlag =
  (read: Reader, whenTrue: number): Reader =>
  (text) => {
    // "1" is a number here.
    if (text === '' || text === 'true') return ok(whenTrue);
    return text === 'false' || text === '0' ? ok(undefined) : read(text);
  };

const oneOf =
  (values: readonly string[], others: Readonly<Record<string, string>> = {}): Reader =>
  (text) => {
    const value = Object.hasOwn(others, text) ? others[text] : text;
    return values.includes(value as string) ? ok(value) : no(`one of ${values.join(', ')}`);
  };

const NAMED_COLOURS: Readonly<Record<string, string>> = {
  white: 'ffffff',
  black: '000000',
  transparent: '00000000',
};

/** With `#` or without, with one digit or two for each of the colours. */
const colour =
  (withOpacity: boolean): Reader =>
  (text) => {
    const digits = (Object.hasOwn(NAMED_COLOURS, text) ? (NAMED_COLOURS[text] as string) : text)
      .replace(/^#/, '')
      .toLowerCase();
    const full = digits.length <= 4 ? digits.replace(/./g, '$&$&') : digits;
    const opaque = full.length === 8 && full.endsWith('ff') ? full.slice(0, 6) : full;
    const isRight = /^[0-9a-f]{6}$/.test(opaque) || (withOpacity && /^[0-9a-f]{8}$/.test(opaque));
    return isRight ? ok(opaque) : no('a colour such as ff8800, f80 or white');
  };

const area: Reader = (text) => {
  const sides = /^(\d{1,6})[x,](\d{1,6})[x,](\d{1,6})[x,](\d{1,6})$/.exec(text)?.slice(1).map(Number);
  const [x = 0, y = 0, width = 0, height = 0] = sides ?? [];
  return width > 0 && height > 0
    ? ok({ x, y, width, height })
    : no('an area: left x top x width x height, such as 0x0x300x200');
};

const degrees: Reader = (text) => {
  const reading = whole(-360_000, 360_000)(text);
  return 'value' in reading ? ok((((reading.value as number) % 360) + 360) % 360) : no('whole degrees');
};

/** Metadata tells where a picture was taken, and by whom: nothing of it is kept. */
const strip: Reader = (text) => {
  const reading = flag(text);
  return 'value' in reading && reading.value === true ? ok(undefined) : no('true: metadata is always removed');
};

/** How the text of each field is read. */
export const FIELD_READERS: Readonly<Record<FieldName, Reader>> = {
  width: whole(1, MAX_SIDE),
  height: whole(1, MAX_SIDE),
  fit: oneOf(FITS),
  gravity: oneOf([...PLACES, ...STRATEGIES], {
    centre: 'center',
    top: 'north',
    bottom: 'south',
    left: 'west',
    right: 'east',
  }),
  dpr: decimal(0.1, 8),
  enlarge: flag,
  crop: area,
  trim: numberOrFlag(whole(1, 99), 10),
  rotate: degrees,
  flip: flag,
  flop: flag,
  pad: whole(0, 1000),
  background: colour(true),
  blur: numberOrFlag(decimal(0.3, 100), 1),
  sharpen: numberOrFlag(decimal(0.1, 10), 1),
  brightness: decimal(0, 4),
  saturation: decimal(0, 4),
  contrast: decimal(0, 4),
  hue: degrees,
  tint: colour(false),
  grayscale: flag,
  format: oneOf([...IMAGE_FORMATS, 'auto'], { jpg: 'jpeg' }),
  quality: whole(1, 100),
  strip,
};

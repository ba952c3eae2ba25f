import { pathProblem } from '../path.ts';
import {
  BLENDS,
  FITS,
  IMAGE_FORMATS,
  KEPT_METADATA,
  MAX_MAX_BYTES,
  MAX_SIDE,
  MAX_TEXT_LENGTH,
  MIN_MAX_BYTES,
  PLACES,
  STRATEGIES,
} from './transform.ts';

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
  focal: ['focal'],
  overlay: ['overlay'],
  overlayGravity: ['og'],
  overlayX: ['ox'],
  overlayY: ['oy'],
  overlayWidth: ['ow'],
  overlayHeight: ['oh'],
  overlayOpacity: ['oo'],
  blend: ['blend'],
  tile: ['tile'],
  text: ['text'],
  textGravity: ['tg'],
  textX: ['tx'],
  textY: ['ty'],
  textSize: ['ts'],
  textColour: ['tc'],
  round: ['round', 'radius'],
  preset: ['preset'],
  page: ['page', 'frame'],
  animated: ['animated'],
  keep: ['keep'],
  maxBytes: ['bytes', 'maxBytes'],
  format: ['f', 'format'],
  quality: ['q', 'quality'],
  strip: ['strip'],
} as const;

/** Fields of the whole transform, which stand once wherever it has more than one group of steps. */
export const WHOLE_FIELDS: ReadonlySet<string> = new Set([
  'preset',
  'page',
  'animated',
  'keep',
  'maxBytes',
  'format',
  'quality',
  'strip',
] satisfies FieldName[]);

/** Begins another group of steps. */
export const THEN = 'then';

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

/** Metadata tells where a picture was taken, and by whom: what is kept of it is named. */
const strip: Reader = (text) => {
  const reading = flag(text);
  return 'value' in reading && reading.value === true ? ok(undefined) : no('true; "keep" names what is to stay');
};

const kept: Reader = (text) => {
  const names = new Set(text.split(/[.+ ]/));
  const isRight = [...names].every((name) => (KEPT_METADATA as readonly string[]).includes(name));
  return isRight ? ok([...names].sort()) : no(`${KEPT_METADATA.join(', ')}, or some of them joined by "."`);
};

const point: Reader = (text) => {
  const [, x, y] = /^(0|1|0?\.\d{1,6}|[01]\.0{1,6})[x,](0|1|0?\.\d{1,6}|[01]\.0{1,6})$/.exec(text) ?? [];
  const thousandths = (part: string): number => Math.round(Number(part) * 1000) / 1000;
  return x !== undefined && y !== undefined
    ? ok({ x: thousandths(x), y: thousandths(y) })
    : no('a point: left x top, each from 0 to 1, such as 0.5x0.25');
};

const filePath: Reader = (text) => {
  const problem = pathProblem(text);
  return problem === null ? ok(text) : no(`the path of a file of the project (${problem})`);
};

const TEXT = new RegExp(`^[^\\p{Cc}\\p{Cs}]{1,${MAX_TEXT_LENGTH}}$`, 'u');
const words: Reader = (text) =>
  TEXT.test(text) ? ok(text) : no(`1 to ${MAX_TEXT_LENGTH} characters without control characters`);

const PRESET_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
const presetName: Reader = (text) => (PRESET_NAME.test(text) ? ok(text) : no('the name of a preset'));

const wordOr =
  (word: string, read: Reader): Reader =>
  (text) => {
    if (text === word) return ok(word);
    const reading = read(text);
    return 'value' in reading ? reading : no(`${reading.expected}, or ${word}`);
  };

const PLACE_NAMES = { centre: 'center', top: 'north', bottom: 'south', left: 'west', right: 'east' };
const place = oneOf(PLACES, PLACE_NAMES);
const offset = whole(-MAX_SIDE, MAX_SIDE);

/** How the text of each field is read. */
export const FIELD_READERS: Readonly<Record<FieldName, Reader>> = {
  width: whole(1, MAX_SIDE),
  height: whole(1, MAX_SIDE),
  fit: oneOf(FITS),
  gravity: oneOf([...PLACES, ...STRATEGIES, 'focal'], PLACE_NAMES),
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
  focal: point,
  overlay: filePath,
  overlayGravity: place,
  overlayX: offset,
  overlayY: offset,
  overlayWidth: whole(1, MAX_SIDE),
  overlayHeight: whole(1, MAX_SIDE),
  overlayOpacity: decimal(0, 1),
  blend: oneOf(BLENDS),
  tile: flag,
  text: words,
  textGravity: place,
  textX: offset,
  textY: offset,
  textSize: whole(4, 1000),
  textColour: colour(true),
  round: wordOr('max', whole(1, 4096)),
  preset: presetName,
  page: whole(1, 10_000),
  animated: flag,
  keep: kept,
  maxBytes: whole(MIN_MAX_BYTES, MAX_MAX_BYTES),
  format: oneOf([...IMAGE_FORMATS, 'auto'], { jpg: 'jpeg' }),
  quality: wordOr('auto', whole(1, 100)),
  strip,
};

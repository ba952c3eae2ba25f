import { CarcosaError } from '../errors.ts';
import type { File } from '../openapi.ts';

type Place = 'north' | 'northeast' | 'east' | 'southeast' | 'south' | 'southwest' | 'west' | 'northwest';

/** What is done with a picture, in the grammar of docs/transforms.md. What is absent is not done. */
export interface TransformOptions {
  /** Pixels, 1 to 8192. */
  width?: number;
  height?: number;
  /** How the picture meets width and height; default `cover`. */
  fit?: 'cover' | 'contain' | 'fill' | 'inside' | 'outside';
  /** What `cover` keeps and where `contain` puts it; default `center`. */
  gravity?: 'center' | Place | 'attention' | 'entropy';
  /** Multiplies width and height, 0.1 to 8. */
  dpr?: number;
  /** Lets a picture grow. */
  enlarge?: boolean;
  /** The area that is kept, in pixels of the upright picture. */
  crop?: { x: number; y: number; width: number; height: number };
  /** Cuts off a border of one colour; true is 10. */
  trim?: boolean | number;
  /** Degrees clockwise. */
  rotate?: number;
  flip?: boolean;
  flop?: boolean;
  pad?: number;
  /** Such as `ff8800`, `#f80`, `ff880080`, `white` or `transparent`. */
  background?: string;
  /** Standard deviation in pixels; true is 1. */
  blur?: boolean | number;
  sharpen?: boolean | number;
  /** Factors, 0 to 4. */
  brightness?: number;
  saturation?: number;
  contrast?: number;
  hue?: number;
  tint?: string;
  grayscale?: boolean;
  /** `auto`: by what the browser takes. Default: as the original is stored. */
  format?: 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'auto';
  /** 1 to 100. */
  quality?: number;
}

/** A file, or the path of one. */
export type TransformAddress =
  | string
  | (Pick<File, 'path' | 'version' | 'tenantId'> & { projectId?: string })
  | { path: string; version?: number; tenantId?: string | null; projectId?: string };

/** The names of the short form, in the order in which it prints them. */
const NAMES: readonly (readonly [string, keyof TransformOptions])[] = [
  ['bg', 'background'],
  ['blur', 'blur'],
  ['brightness', 'brightness'],
  ['contrast', 'contrast'],
  ['crop', 'crop'],
  ['enlarge', 'enlarge'],
  ['f', 'format'],
  ['fit', 'fit'],
  ['flip', 'flip'],
  ['flop', 'flop'],
  ['g', 'gravity'],
  ['grayscale', 'grayscale'],
  ['h', 'height'],
  ['hue', 'hue'],
  ['pad', 'pad'],
  ['q', 'quality'],
  ['rotate', 'rotate'],
  ['saturation', 'saturation'],
  ['sharpen', 'sharpen'],
  ['tint', 'tint'],
  ['trim', 'trim'],
  ['w', 'width'],
];
const USUAL_QUALITY: Record<string, number | undefined> = { jpeg: 80, webp: 80, avif: 50 };
const COLOURS: Record<string, string> = { white: 'ffffff', black: '000000', transparent: '00000000' };
const WHEN_TRUE: Record<string, number> = { trim: 10, blur: 1, sharpen: 1 };
const THOUSANDTHS = ['dpr', 'blur', 'sharpen', 'brightness', 'saturation', 'contrast'];

/** The canonical short form, such as `f_webp,h_600,w_800`: transforms that do the same have the same text, and so one cached result. */
export function transformSteps(transform: TransformOptions = {}): string {
  const values = canonical(transform);
  const steps = NAMES.flatMap(([name, field]) => {
    const value = values[field];
    return value === undefined || value === false ? [] : [value === true ? name : `${name}_${value}`];
  });
  return steps.join(',') || 'original';
}

function canonical(transform: TransformOptions): Record<string, string | number | boolean | undefined> {
  const { crop, ...rest } = transform;
  const values: Record<string, string | number | boolean | undefined> = { ...rest };
  for (const field of Object.keys(WHEN_TRUE)) if (values[field] === true) values[field] = WHEN_TRUE[field];
  for (const field of THOUSANDTHS)
    if (typeof values[field] === 'number') values[field] = Math.round(values[field] * 1000) / 1000;
  for (const field of ['rotate', 'hue'])
    if (typeof values[field] === 'number') values[field] = ((values[field] % 360) + 360) % 360;
  for (const field of ['background', 'tint'])
    if (typeof values[field] === 'string') values[field] = colour(values[field]);
  if (crop) values.crop = [crop.x, crop.y, crop.width, crop.height].join('x');
  const { dpr } = values as { dpr?: number };
  for (const side of ['width', 'height'])
    if (typeof values[side] === 'number') values[side] = Math.max(1, Math.round(values[side] * (dpr ?? 1)));
  leaveOutDefaults(values);
  return values;
}

/** Leaves out what changes nothing, as the server does. */
function leaveOutDefaults(values: Record<string, string | number | boolean | undefined>): void {
  const { width, height, fit = 'cover', gravity, format, quality } = values;
  const drop = (field: string, when: boolean): void => {
    if (when) delete values[field];
  };
  const isBox = width !== undefined && height !== undefined;
  drop('fit', !isBox || fit === 'cover');
  drop('gravity', !isBox || !(fit === 'cover' || fit === 'contain') || gravity === 'center');
  drop('enlarge', width === undefined && height === undefined);
  for (const factor of ['brightness', 'saturation', 'contrast']) drop(factor, values[factor] === 1);
  for (const amount of ['rotate', 'hue', 'pad', 'trim', 'blur', 'sharpen']) drop(amount, values[amount] === 0);
  const usual = USUAL_QUALITY[format as string];
  drop('quality', format !== undefined && format !== 'auto' && (usual === undefined || usual === quality));
}

function colour(text: string): string {
  const digits = (COLOURS[text] ?? text.replace(/^#/, '')).toLowerCase();
  const full = digits.length <= 4 ? digits.replace(/./g, '$&$&') : digits;
  return full.length === 8 && full.endsWith('ff') ? full.slice(0, 6) : full;
}

/**
 * The address of a picture: `https://…/t/{projectId}/{steps}/{path}`. Where the file is given rather than its path, the address names its
 * version once it has been replaced, so that nobody sees the former picture.
 */
export function transformUrl(options: {
  url: string;
  projectId: string;
  file: TransformAddress;
  transform?: TransformOptions | undefined;
}): string {
  const { url, projectId, file, transform } = options;
  const {
    path,
    version = 1,
    tenantId,
  } = typeof file === 'string' ? { path: file } : (file as Exclude<typeof file, string>);
  if (!path) throw new CarcosaError('invalid_argument', 'The address of a picture needs the path of a file.');
  const query = new URLSearchParams();
  if (version > 1) query.set('v', String(version));
  if (tenantId) query.set('tenantId', tenantId);
  const text = query.toString();
  const place = path.split('/').map(encodeURIComponent).join('/');
  return `${url.replace(/\/+$/, '')}/t/${projectId}/${transformSteps(transform)}/${place}${text && '?'}${text}`;
}

import { FIELD_NAMES, type FieldName, NO_STEPS, THEN, WHOLE_FIELDS } from './fields.ts';
import {
  DEFAULT_QUALITY,
  DEFAULT_TEXT_COLOUR,
  DEFAULT_TEXT_SIZE,
  type ImageSteps,
  type ImageTransform,
} from './transform.ts';

/** Steps as they were written: with values that change nothing, and with `dpr`. */
export type WrittenSteps = {
  -readonly [Field in keyof ImageSteps]?: Wide<ImageSteps[Field]> | false | undefined;
} & { dpr?: number | undefined };
/** The default of a choice is a value of it too, where it is written. */
type Wide<Value> = Value extends string ? string : Value;

/** A transform as it was written. */
export type WrittenTransform = WrittenSteps & {
  -readonly [Field in Exclude<keyof ImageTransform, keyof ImageSteps | 'next'>]?:
    | ImageTransform[Field]
    | false
    | undefined;
} & { next?: readonly WrittenSteps[] | undefined };

/** Leaves out whatever changes nothing, so that transforms that do the same are the same. */
export function withoutDefaults(written: WrittenTransform): ImageTransform {
  const { next = [], ...rest } = written;
  const [first = {}, ...others] = [rest, ...next].map(stepsOf).filter((steps) => Object.keys(steps).length > 0);
  const result = { ...first, ...wholeOf(written) };
  return others.length > 0 ? { ...result, next: others } : result;
}

function stepsOf(written: WrittenSteps): ImageSteps {
  const { dpr = 1, fit = 'cover', gravity = 'center', ...rest } = written;
  const result: Record<string, unknown> = Object.fromEntries(
    Object.entries(rest).filter(([name]) => !WHOLE_FIELDS.has(name)),
  );
  const times = (side: number | false | undefined): number | undefined =>
    side ? Math.max(1, Math.round(side * dpr)) : undefined;
  result.width = times(written.width);
  result.height = times(written.height);
  const isBox = result.width !== undefined && result.height !== undefined;
  if (isBox && fit !== 'cover') result.fit = fit;
  if (!(isBox && fit === 'cover')) delete result.focal;
  // A point is more exact than a place.
  const placed = isBox && (fit === 'cover' || fit === 'contain') && result.focal === undefined;
  if (placed && gravity !== 'center' && !(gravity === 'focal' && fit !== 'cover')) result.gravity = gravity;
  if (result.width === undefined && result.height === undefined) delete result.enlarge;
  for (const factor of ['brightness', 'saturation', 'contrast']) if (result[factor] === 1) delete result[factor];
  for (const amount of ['rotate', 'hue', 'pad']) if (result[amount] === 0) delete result[amount];
  dropOverlayDefaults(result);
  return withoutNothing(result) as ImageSteps;
}

const OF_OVERLAY = ['Gravity', 'X', 'Y', 'Width', 'Height', 'Opacity'].map((name) => `overlay${name}`);
const OF_TEXT = ['Gravity', 'X', 'Y', 'Size', 'Colour'].map((name) => `text${name}`);

function dropOverlayDefaults(result: Record<string, unknown>): void {
  if (result.overlay === undefined) for (const name of [...OF_OVERLAY, 'blend', 'tile']) delete result[name];
  if (result.text === undefined) for (const name of OF_TEXT) delete result[name];
  // All over the picture there is no place.
  if (result.tile === true) for (const name of ['overlayGravity', 'overlayX', 'overlayY']) delete result[name];
  const usual: Record<string, unknown> = {
    ...{ overlayGravity: 'center', overlayX: 0, overlayY: 0, overlayOpacity: 1, blend: 'over' },
    ...{ textGravity: 'center', textX: 0, textY: 0, textSize: DEFAULT_TEXT_SIZE, textColour: DEFAULT_TEXT_COLOUR },
  };
  for (const [name, value] of Object.entries(usual)) if (result[name] === value) delete result[name];
}

function wholeOf(written: WrittenTransform): ImageTransform {
  const result: Record<string, unknown> = Object.fromEntries(
    Object.entries(written).filter(([name]) => WHOLE_FIELDS.has(name)),
  );
  const { format } = written;
  if (result.page === 1) delete result.page;
  if (format && format !== 'auto') {
    const usual = DEFAULT_QUALITY[format];
    if (usual === null || usual === written.quality) delete result.quality;
    if (format !== 'webp' && format !== 'gif') delete result.animated;
  }
  return withoutNothing(result) as ImageTransform;
}

function withoutNothing(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== false));
}

/** Each field by the name that it is printed under, in the order of those names. */
const PRINTED = Object.entries(FIELD_NAMES)
  .map(([field, [name]]) => [name, field as FieldName] as const)
  .sort(([one], [other]) => (one < other ? -1 : 1));

function pairs(transform: ImageTransform): [string, string][] {
  const own = pairsOf(transform);
  return own.concat((transform.next ?? []).flatMap((steps) => [[THEN, 'true'], ...pairsOf(steps)]));
}

function pairsOf(steps: ImageSteps): [string, string][] {
  const values = steps as Partial<Record<FieldName, unknown>>;
  return PRINTED.flatMap(([name, field]): [string, string][] => {
    const value = values[field];
    return value === undefined ? [] : [[name, valueText(value)]];
  });
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.join('.');
  if (typeof value !== 'object' || value === null) return String(value);
  return ['x', 'y', 'width', 'height']
    .flatMap((name) => (value as Record<string, number>)[name] ?? [])
    .map(String)
    .join('x');
}

/**
 * The one short form of a transform, such as `f_webp,h_600,w_800`: equal transforms have equal texts. What is not plain in a text or
 * path is percent-encoded; {@link transformAddress} makes an address of it.
 */
export function printTransform(transform: ImageTransform): string {
  const steps = pairs(transform).map(([name, value]) =>
    value === 'true' ? name : `${name}_${encodeURIComponent(value)}`,
  );
  return steps.join(',') || NO_STEPS;
}

/** The same as parameters of an address, such as `f=webp&h=600&w=800`; "" where nothing is done. */
export function printTransformQuery(transform: ImageTransform): string {
  return pairs(transform)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
}

/** The short address of a picture, from its first "/": `/t/prj_…/w_800,f_webp/photos/cat.jpg`. @param path "" for a picture from elsewhere */
export function transformAddress(projectId: string, transform: ImageTransform, path: string): string {
  const steps = printTransform(transform).replaceAll('%', '%25');
  return ['/t', projectId, steps, ...(path === '' ? [] : path.split('/').map(encodeURIComponent))].join('/');
}

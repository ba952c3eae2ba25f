import { FIELD_NAMES, type FieldName, NO_STEPS } from './fields.ts';
import { type Crop, DEFAULT_QUALITY, type Fit, type Gravity, type ImageTransform } from './transform.ts';

/** A transform as it was written: with values that change nothing, and with `dpr`. */
export type WrittenTransform = {
  -readonly [Field in Exclude<keyof ImageTransform, 'fit' | 'gravity'>]?: ImageTransform[Field] | false | undefined;
} & { fit?: Fit | undefined; gravity?: Gravity | undefined; dpr?: number | undefined };

/** Leaves out whatever changes nothing, so that transforms that do the same are the same. */
export function withoutDefaults(written: WrittenTransform): ImageTransform {
  const { dpr = 1, fit = 'cover', gravity = 'center', ...rest } = written;
  const result: Record<string, unknown> = { ...rest };
  const times = (side: number | false | undefined): number | undefined =>
    side ? Math.max(1, Math.round(side * dpr)) : undefined;
  result.width = times(written.width);
  result.height = times(written.height);
  const isBox = result.width !== undefined && result.height !== undefined;
  if (isBox && fit !== 'cover') result.fit = fit;
  if (isBox && (fit === 'cover' || fit === 'contain') && gravity !== 'center') result.gravity = gravity;
  if (result.width === undefined && result.height === undefined) delete result.enlarge;
  for (const factor of ['brightness', 'saturation', 'contrast']) if (result[factor] === 1) delete result[factor];
  for (const amount of ['rotate', 'hue', 'pad']) if (result[amount] === 0) delete result[amount];
  const { format } = written;
  if (format && format !== 'auto') {
    const usual = DEFAULT_QUALITY[format];
    if (usual === null || usual === written.quality) delete result.quality;
  }
  for (const [name, value] of Object.entries(result)) if (value === undefined || value === false) delete result[name];
  return result as ImageTransform;
}

/** Each field by the name that it is printed under, in the order of those names. */
const PRINTED = Object.entries(FIELD_NAMES)
  .map(([field, [name]]) => [name, field as FieldName] as const)
  .sort(([one], [other]) => (one < other ? -1 : 1));

function pairs(transform: ImageTransform): [string, string][] {
  const values = transform as Partial<Record<FieldName, unknown>>;
  return PRINTED.flatMap(([name, field]): [string, string][] => {
    const value = values[field];
    return value === undefined ? [] : [[name, valueText(value)]];
  });
}

function valueText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const { x, y, width, height } = value as Crop;
  return [x, y, width, height].join('x');
}

/** The one short form of a transform, such as `f_webp,h_600,w_800`: equal transforms have equal texts. */
export function printTransform(transform: ImageTransform): string {
  const steps = pairs(transform).map(([name, value]) => (value === 'true' ? name : `${name}_${value}`));
  return steps.join(',') || NO_STEPS;
}

/** The same as parameters of an address, such as `f=webp&h=600&w=800`; "" where nothing is done. */
export function printTransformQuery(transform: ImageTransform): string {
  return pairs(transform)
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

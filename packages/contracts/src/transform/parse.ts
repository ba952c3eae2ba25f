import { CarcosaError } from '@carcosa/kernel';
import { withoutDefaults } from './canonical.ts';
import { FIELD_NAMES, FIELD_READERS, type FieldName, NO_STEPS } from './fields.ts';
import { type ImageTransform, MAX_RESULT_PIXELS, MAX_SIDE, STRATEGIES } from './transform.ts';

const FIELDS = new Map<string, FieldName>(
  Object.entries(FIELD_NAMES).flatMap(([field, names]) => names.map((name) => [name, field as FieldName])),
);

interface Problem {
  field: string;
  message: string;
}

type Values = { [Field in FieldName]?: unknown };

/** Whether a parameter of an address belongs to the grammar. */
export function isTransformParameter(name: string): boolean {
  return FIELDS.has(name);
}

/**
 * Reads a transform from the parameters of an address, such as `w=800&format=webp`.
 * @throws CarcosaError `invalid_request`, whose details name each field that is wrong
 */
export function parseTransformQuery(parameters: Iterable<readonly [string, string]>): ImageTransform {
  return read([...parameters]);
}

/** Reads the short form, such as `w_800,h_600,f_webp`. @throws CarcosaError `invalid_request` */
export function parseTransformSteps(text: string): ImageTransform {
  if (text === NO_STEPS) return {};
  const pairs = text.split(',').map((step): [string, string] => {
    const end = step.indexOf('_');
    return end < 0 ? [step, ''] : [step.slice(0, end), step.slice(end + 1)];
  });
  return read(pairs);
}

function read(pairs: readonly (readonly [string, string])[]): ImageTransform {
  const problems: Problem[] = [];
  const values: Values = {};
  const seen = new Set<FieldName>();
  for (const [name, text] of pairs) {
    const field = FIELDS.get(name);
    if (!field) {
      problems.push({ field: name.slice(0, 64), message: 'There is no such step.' });
      continue;
    }
    if (seen.has(field)) problems.push({ field: name, message: 'It is there twice.' });
    seen.add(field);
    const reading = FIELD_READERS[field](text.trim());
    if ('value' in reading) values[field] = reading.value;
    else problems.push({ field: name, message: `It must be ${reading.expected}.` });
  }
  if (problems.length === 0) problems.push(...contradictions(values));
  if (problems.length > 0) {
    const message = `The transform is not understood: ${problems.map(({ field, message }) => `${field}: ${message}`).join(' ')}`;
    throw new CarcosaError('invalid_request', { message: message.slice(0, 1000), details: { fields: problems } });
  }
  return withoutDefaults(values as Parameters<typeof withoutDefaults>[0]);
}

function contradictions({ width, height, fit = 'cover', gravity, dpr }: Values): Problem[] {
  const problems: Problem[] = [];
  const isStrategy = (STRATEGIES as readonly unknown[]).includes(gravity);
  if (isStrategy && fit !== 'cover')
    problems.push({ field: 'gravity', message: `${gravity} decides what "cover" cuts; use it with fit=cover.` });
  const times = (side: unknown): number =>
    Math.round(((side as number | undefined) ?? 0) * ((dpr as number | undefined) ?? 1));
  const [w, h] = [times(width), times(height)];
  if (Math.max(w, h) > MAX_SIDE)
    problems.push({ field: 'dpr', message: `Width and height times dpr must be at most ${MAX_SIDE}.` });
  if (w * h > MAX_RESULT_PIXELS)
    problems.push({ field: 'width', message: `The result may have at most ${MAX_RESULT_PIXELS} pixels.` });
  return problems;
}

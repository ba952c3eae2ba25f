import { CarcosaError } from '@carcosa/kernel';
import { type WrittenTransform, withoutDefaults } from './canonical.ts';
import { FIELD_NAMES, FIELD_READERS, type FieldName, NO_STEPS, THEN, WHOLE_FIELDS } from './fields.ts';
import { type ImageTransform, MAX_CHAIN, MAX_RESULT_PIXELS, MAX_SIDE, STRATEGIES } from './transform.ts';

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
  return FIELDS.has(name) || name === THEN;
}

/**
 * Reads a transform from the parameters of an address, such as `w=800&format=webp`.
 * @throws CarcosaError `invalid_request`, whose details name each field that is wrong
 */
export function parseTransformQuery(parameters: Iterable<readonly [string, string]>): ImageTransform {
  return read([...parameters]);
}

/**
 * Reads the short form, such as `w_800,h_600,f_webp`. In a text or path "," and "%" are percent-encoded.
 * @throws CarcosaError `invalid_request`
 */
export function parseTransformSteps(text: string): ImageTransform {
  if (text === NO_STEPS) return {};
  const pairs = text.split(',').map((step): [string, string] => {
    const end = step.indexOf('_');
    return end < 0 ? [step, ''] : [step.slice(0, end), decoded(step.slice(end + 1))];
  });
  return read(pairs);
}

/** As it is where it is no proper encoding: then its field says what is wrong. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function read(pairs: readonly (readonly [string, string])[]): ImageTransform {
  const problems: Problem[] = [];
  const whole: Values = {};
  const groups: Values[] = [{}];
  const seen = new Set<string>();
  for (const [name, text] of pairs) {
    const field = FIELDS.get(name);
    if (name === THEN && ['', '1', 'true'].includes(text)) {
      groups.push({});
      continue;
    }
    if (!field) {
      problems.push({ field: name.slice(0, 64), message: 'There is no such step.' });
      continue;
    }
    const isWhole = WHOLE_FIELDS.has(field);
    const place = isWhole ? field : `${groups.length} ${field}`;
    if (seen.has(place)) problems.push({ field: name, message: 'It is there twice.' });
    seen.add(place);
    const reading = FIELD_READERS[field](text.trim());
    if ('value' in reading) (isWhole ? whole : (groups.at(-1) as Values))[field] = reading.value;
    else problems.push({ field: name, message: `It must be ${reading.expected}.` });
  }
  if (groups.length > MAX_CHAIN)
    problems.push({ field: THEN, message: `At most ${MAX_CHAIN} groups of steps follow.` });
  if (problems.length === 0) problems.push(...groups.flatMap(contradictions), ...wholeContradictions(whole, groups));
  if (problems.length > 0) {
    const message = `The transform is not understood: ${problems.map(({ field, message }) => `${field}: ${message}`).join(' ')}`;
    throw new CarcosaError('invalid_request', { message: message.slice(0, 1000), details: { fields: problems } });
  }
  const [first, ...next] = groups;
  return withoutDefaults({ ...first, ...whole, next } as WrittenTransform);
}

/** What a result of many frames, or one that keeps the colours of its original, is not made with. */
const NOT_ANIMATED = ['trim', 'rotate', 'tile'] as const satisfies FieldName[];
const OVER_THE_PICTURE = ['overlay', 'text', 'round'] as const satisfies FieldName[];

function wholeContradictions({ animated, keep, quality, maxBytes, page }: Values, groups: Values[]): Problem[] {
  const problems: Problem[] = [];
  const used = (names: readonly FieldName[]): FieldName | undefined =>
    names.find((name) => groups.some((group) => group[name]));
  if (animated) {
    const step = used(NOT_ANIMATED);
    if (step) problems.push({ field: step, message: 'It cannot be done to an animation.' });
    if (groups.some(({ gravity }) => (STRATEGIES as readonly unknown[]).includes(gravity)))
      problems.push({ field: 'gravity', message: 'Of an animation no part is found by what is in it.' });
    if (page !== undefined) problems.push({ field: 'page', message: 'It is one frame; "animated" keeps all.' });
  }
  const icc = Array.isArray(keep) && keep.includes('icc');
  if (icc && (groups.length > 1 || used(OVER_THE_PICTURE)))
    problems.push({ field: 'keep', message: 'What is laid over a picture is sRGB: "icc" cannot be kept with it.' });
  if (quality === 'auto' && maxBytes !== undefined)
    problems.push({ field: 'quality', message: 'Give either "auto" or the most bytes.' });
  return problems;
}

function contradictions({ width, height, fit = 'cover', gravity, focal, dpr }: Values): Problem[] {
  const problems: Problem[] = [];
  const isStrategy = (STRATEGIES as readonly unknown[]).includes(gravity);
  if (isStrategy && fit !== 'cover')
    problems.push({ field: 'gravity', message: `${gravity} decides what "cover" cuts; use it with fit=cover.` });
  if (focal !== undefined && gravity !== undefined && gravity !== 'focal')
    problems.push({ field: 'focal', message: 'It takes the place of "gravity"; give one of them.' });
  const times = (side: unknown): number =>
    Math.round(((side as number | undefined) ?? 0) * ((dpr as number | undefined) ?? 1));
  const [w, h] = [times(width), times(height)];
  if (Math.max(w, h) > MAX_SIDE)
    problems.push({ field: 'dpr', message: `Width and height times dpr must be at most ${MAX_SIDE}.` });
  if (w * h > MAX_RESULT_PIXELS)
    problems.push({ field: 'width', message: `The result may have at most ${MAX_RESULT_PIXELS} pixels.` });
  return problems;
}

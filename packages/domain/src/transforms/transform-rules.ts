import {
  type ImageSteps,
  type ImageTransform,
  type ProjectSettings,
  parseTransformSteps,
  printTransform,
  withoutDefaults,
} from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import { z } from 'zod';

type Rules = Pick<ProjectSettings, 'transformAccess' | 'transformWidths'>;

/** Beside the sides, where a project names those that it allows: few values each. */
const WITH_WIDTHS: ReadonlySet<string> = new Set([
  'width',
  'height',
  'fit',
  'gravity',
  'format',
] satisfies (keyof ImageTransform)[]);
const WITH_PRESET: ReadonlySet<string> = new Set(['preset', 'format'] satisfies (keyof ImageTransform)[]);

/** Why somebody may not have a transform, and what they need to have it. */
export interface Refusal {
  readonly error: CarcosaError;
  readonly needs: 'files:read' | 'transforms:execute';
}

/**
 * What speaks against a transform of an address without signature; null where nothing does.
 * @param asked as the address says it, its preset by name
 * @param whole with the steps of its preset
 */
export function refusalOf(rules: Rules, asked: ImageTransform, whole: ImageTransform): Refusal | null {
  if (whole.keep?.includes('gps')) {
    const message = 'Where a picture was taken is kept for those alone who may read files of the project.';
    return {
      error: new CarcosaError('forbidden', { message, details: { permission: 'files:read' } }),
      needs: 'files:read',
    };
  }
  const error = notAllowed(rules, asked);
  return error && { error, needs: 'transforms:execute' };
}

/** What a project does not allow without a signature. */
function notAllowed({ transformAccess, transformWidths }: Rules, transform: ImageTransform): CarcosaError | null {
  if (transformAccess === 'open' && transformWidths === null) return null;
  const names = Object.keys(transform);
  const isPreset = transform.preset !== undefined && names.every((name) => WITH_PRESET.has(name));
  if (transformAccess === 'signed')
    return refused('Transforms of this project need a signed address.', { access: 'signed' });
  if (isPreset) return null;
  if (transformAccess === 'presets')
    return refused('Unsigned transforms of this project name a preset, and a format at most.', { access: 'presets' });
  if (transformWidths === null) return null;
  const details = { access: 'open', widths: transformWidths };
  const other = names.find((name) => !WITH_WIDTHS.has(name));
  if (other !== undefined) {
    const message = `Unsigned transforms of this project say width, height, fit, gravity and format, or a preset; "${other}" needs a signed address.`;
    return refused(message, details);
  }
  for (const side of [transform.width, transform.height]) {
    if (side === undefined || transformWidths.includes(side)) continue;
    return refused(
      `Unsigned transforms of this project are ${transformWidths.join(', ')} pixels wide or high; ${side} is not among them.`,
      details,
    );
  }
  return null;
}

function refused(message: string, details: Record<string, unknown>): CarcosaError {
  return new CarcosaError('transform_not_allowed', { message, details });
}

/**
 * Puts the steps of a preset in the place of its name; what the address says itself goes before.
 * @throws CarcosaError `invalid_request`
 */
export function withPreset(transform: ImageTransform, presets: ReadonlyMap<string, string>): ImageTransform {
  const { preset, ...own } = transform;
  if (preset === undefined) return transform;
  const steps = presets.get(preset);
  if (steps === undefined) {
    const fields = [{ field: 'preset', message: 'There is no such preset.' }];
    throw new CarcosaError('invalid_request', {
      message: `The project has no preset "${preset}".`,
      details: { fields },
    });
  }
  // Read once more: together they may contradict each other.
  return parseTransformSteps(printTransform({ ...parseTransformSteps(steps), ...own }));
}

const FocalPoint = z.object({ x: z.number().min(0).max(1), y: z.number().min(0).max(1) });

/** Puts the focal point of the file in the place of `g=focal`; what is no such point counts as none. */
export function withFocalPoint(transform: ImageTransform, focalPoint: unknown): ImageTransform {
  if (!usesFocalPoint(transform)) return transform;
  const { data } = FocalPoint.safeParse(focalPoint);
  const thousandths = (value: number): number => Math.round(value * 1000) / 1000;
  const focal = data && { x: thousandths(data.x), y: thousandths(data.y) };
  const resolve = <Steps extends ImageSteps>({ gravity, ...steps }: Steps) =>
    gravity === 'focal' ? { ...steps, ...(focal ? { focal } : {}) } : { ...steps, ...(gravity ? { gravity } : {}) };
  const { next = [], ...first } = transform;
  return withoutDefaults({ ...resolve(first), next: next.map(resolve) });
}

export function usesFocalPoint({ next = [], gravity }: ImageTransform): boolean {
  return [gravity, ...next.map((steps) => steps.gravity)].includes('focal');
}

/** Paths of the overlays, in the order of the groups that have one. */
export function overlaysOf({ overlay, next = [] }: ImageTransform): string[] {
  return [overlay, ...next.map((steps) => steps.overlay)].filter((path) => path !== undefined);
}

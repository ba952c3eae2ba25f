import { z } from 'zod';
import { CarcosaError } from './errors.ts';

/** Environment variables as a process gets them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads one package's settings from the environment: each key of `shape` is the name of a variable.
 * Empty strings count as absent.
 * @throws CarcosaError `configuration_invalid`, whose message names every bad variable and its expected form.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
  environment: Environment,
): z.output<z.ZodObject<Shape>> {
  const given = Object.fromEntries(
    Object.keys(shape).flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
  );
  const parsed = z.object(shape).safeParse(given);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const expected = describedForm(shape[name]);
    return expected ? `${name} must be ${expected}` : `${name}: ${issue.message}`;
  });
  throw new CarcosaError('configuration_invalid', { message: [...new Set(lines)].join('; ') });
}

/** The description of a type, or of what `optional` and `default` wrap: wrappers do not inherit it. */
function describedForm(type: unknown): string | undefined {
  if (!(type instanceof z.ZodType)) return undefined;
  const wrapped = type instanceof z.ZodOptional || type instanceof z.ZodDefault ? type.unwrap() : undefined;
  return type.description ?? describedForm(wrapped);
}

/** A whole number in a variable, within [min, max]. */
export const integerVariable = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max))
    .describe(`a whole number from ${min} to ${max}`);

/** "true"/"1"/"yes" or "false"/"0"/"no". */
export const booleanVariable = () =>
  z
    .enum(['true', '1', 'yes', 'false', '0', 'no'])
    .transform((value) => ['true', '1', 'yes'].includes(value))
    .describe('"true" or "false"');

import { RouterConfigError } from './errors.ts';

export interface PathValues {
  slug: string;
  key: string;
  /** Of the file. */
  name: string;
  metadata: Record<string, unknown>;
}

/**
 * Fills the places of a template such as `avatars/{metadata.userId}/{key}.{extension}`. What is filled in becomes one part of the path:
 * without slashes, so that no value leads elsewhere.
 * @throws RouterConfigError for a place that nothing fills
 */
export function fillPath(template: string, { slug, key, name, metadata }: PathValues): string {
  const dot = name.lastIndexOf('.');
  const stem = dot > 0 ? name.slice(0, dot) : name;
  const extension = dot > 0 ? name.slice(dot + 1) : 'bin';
  const values: Record<string, unknown> = { slug, key, name, stem, extension };
  return template.replace(/\{([^{}]+)\}/g, (_place, place: string) => {
    const value = place.startsWith('metadata.') ? valueAt(metadata, place.slice(9).split('.')) : values[place];
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw new RouterConfigError(`The path "${template}" has {${place}}, which is no text or number.`);
    }
    return segment(String(value));
  });
}

function valueAt(metadata: Record<string, unknown>, names: readonly string[]): unknown {
  return names.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined,
    metadata,
  );
}

function segment(value: string): string {
  const clean = value.replace(/[/\\\p{Cc}\p{Cf}]/gu, '_').slice(0, 200);
  return clean === '' || clean === '.' || clean === '..' ? '_' : clean;
}

import { splitPath } from '@carcosa/contracts';

/** What the place of a result is made of. */
export interface TemplateSource {
  readonly fileId: string;
  readonly version: number;
  readonly path: string;
}

/**
 * The path of a result: its template filled in, and the suffix of the result.
 * @param template see `PathTemplate` of the contracts
 */
export function resultPath(template: string, source: TemplateSource, suffix: string): string {
  const { folder, name } = splitPath(source.path);
  const values: Record<string, string> = {
    folder: folder === '' ? '' : `${folder}/`,
    name,
    stem: name.replace(/(?<=.)\.[A-Za-z0-9]{1,8}$/, ''),
    id: source.fileId,
    version: String(source.version),
  };
  return `${template.replace(/\{(\w+)\}/g, (_, variable: string) => values[variable] ?? '')}${suffix}`;
}

/** The suffix of a result with a number, where an earlier step of the job has the same: `.poster.jpg` becomes `.poster-2.jpg`. */
export function numbered(suffix: string, number: number): string {
  return number === 1 ? suffix : suffix.replace(/^(\.[^./]+)/, `$1-${number}`);
}

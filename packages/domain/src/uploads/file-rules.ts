import { CarcosaError } from '@carcosa/kernel';

/** What files a project takes. */
export interface FileRules {
  /** `image/png`, or a family: `image/*`; null: any. */
  allowedTypes: readonly string[] | null;
  /** Bytes; null: any number. */
  maxFileSize: number | null;
}

/** @throws CarcosaError `file_too_large`; a size that is not known yet passes */
export function assertSize({ maxFileSize }: FileRules, size: number | null): void {
  if (maxFileSize === null || size === null || size <= maxFileSize) return;
  throw new CarcosaError('file_too_large', { details: { maxFileSize, size } });
}

/**
 * @param contentType as the bytes say, not the client
 * @throws CarcosaError `file_too_large`, `file_type_not_allowed`
 */
export function assertAccepts(rules: FileRules, { size, contentType }: { size: number; contentType: string }): void {
  assertSize(rules, size);
  const { allowedTypes } = rules;
  const [type = ''] = contentType.toLowerCase().split(';', 1);
  const fits = (allowed: string): boolean =>
    allowed.endsWith('/*') ? type.startsWith(allowed.slice(0, -1)) : type.trim() === allowed;
  if (allowedTypes === null || allowedTypes.some(fits)) return;
  throw new CarcosaError('file_type_not_allowed', { details: { allowedTypes, contentType } });
}

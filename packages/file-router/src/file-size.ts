import { RouterConfigError } from './errors.ts';

/** Powers of 1,000 and of 1,024. */
const UNITS = {
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
} as const;
type Unit = keyof typeof UNITS;

/** Bytes, or a number with a unit: `1500000`, `"5MB"`, `"1.5 GiB"`. */
export type FileSize = number | `${number}${Unit}` | `${number} ${Unit}`;

/** @returns whole bytes @throws RouterConfigError for anything else */
export function bytesOf(size: FileSize): number {
  const match = typeof size === 'string' ? /^(\d+(?:\.\d+)?) ?(B|[KMGT]i?B)$/.exec(size) : null;
  const bytes = match
    ? Math.floor(Number(match[1]) * UNITS[match[2] as Unit])
    : Number(typeof size === 'number' && size);
  if (Number.isSafeInteger(bytes) && bytes >= 0 && (match || typeof size === 'number')) return bytes;
  throw new RouterConfigError(
    `"${size}" is no size of a file: write bytes, or a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB.`,
  );
}

/** As a person reads it: `4 MB`. */
export function sizeText(bytes: number): string {
  const unit = (['TB', 'GB', 'MB', 'KB'] as const).find((each) => bytes >= UNITS[each]);
  return unit ? `${Math.round((bytes / UNITS[unit]) * 100) / 100} ${unit}` : `${bytes} bytes`;
}

import type { KeptMetadata } from '@carcosa/contracts';
import type { Exif } from 'sharp';

/** What is known to say nothing of place, owner or device number: makers put such things anywhere else. */
const PICTURE_TAGS = {
  270: 'ImageDescription',
  271: 'Make',
  272: 'Model',
  306: 'DateTime',
  315: 'Artist',
  33432: 'Copyright',
};
const CAMERA_TAGS = {
  33434: 'ExposureTime',
  33437: 'FNumber',
  36867: 'DateTimeOriginal',
  37386: 'FocalLength',
  42036: 'LensModel',
};
const PLACE_TAGS = { 1: 'GPSLatitudeRef', 2: 'GPSLatitude', 3: 'GPSLongitudeRef', 4: 'GPSLongitude', 6: 'GPSAltitude' };
const CAMERA_POINTER = 34665;
const PLACE_POINTER = 34853;
const MAX_ENTRIES = 200;
const MAX_TEXT = 1000;

const ASCII = 2;
const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Where its value, or the pointer to it, stands. */
  readonly at: number;
}

/**
 * What may be kept of the EXIF data of an original, field by field, as the library writes it.
 * @param block as it lies in the file: "Exif", two NULs, and a TIFF structure
 */
export function keptExif(block: Buffer | undefined, keep: readonly KeptMetadata[]): Exif {
  const start = block?.toString('latin1', 0, 6) === 'Exif\0\0' ? 6 : 0;
  const tiff = block?.subarray(start) ?? Buffer.alloc(0);
  const order = tiff.toString('latin1', 0, 2);
  if (tiff.length < 8 || (order !== 'II' && order !== 'MM')) return {};
  const reader = new TiffReader(tiff, order === 'II');
  const first = reader.entries(reader.u32(4));
  const pointer = (tag: number): number => {
    const found = first.find((entry) => entry.tag === tag);
    return found ? reader.u32(found.at) : 0;
  };
  const kept: Exif = {};
  if (keep.includes('exif')) {
    kept.IFD0 = reader.fields(first, PICTURE_TAGS);
    kept.IFD2 = reader.fields(reader.entries(pointer(CAMERA_POINTER)), CAMERA_TAGS);
  }
  if (keep.includes('gps')) kept.IFD3 = reader.fields(reader.entries(pointer(PLACE_POINTER)), PLACE_TAGS);
  return kept;
}

/** Reads what lies within the block, and nothing else of what it claims. */
class TiffReader {
  readonly #bytes: Buffer;
  readonly #isLittle: boolean;

  constructor(bytes: Buffer, isLittle: boolean) {
    this.#bytes = bytes;
    this.#isLittle = isLittle;
  }

  u16(at: number): number {
    if (at < 0 || at + 2 > this.#bytes.length) return 0;
    return this.#isLittle ? this.#bytes.readUInt16LE(at) : this.#bytes.readUInt16BE(at);
  }

  u32(at: number): number {
    if (at < 0 || at + 4 > this.#bytes.length) return 0;
    return this.#isLittle ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at);
  }

  entries(offset: number): Entry[] {
    if (offset < 8) return [];
    const count = Math.min(this.u16(offset), MAX_ENTRIES);
    return Array.from({ length: count }, (_, index) => {
      const at = offset + 2 + index * 12;
      return { tag: this.u16(at), type: this.u16(at + 2), count: this.u32(at + 4), at: at + 8 };
    });
  }

  fields(entries: readonly Entry[], names: Readonly<Record<number, string>>): Record<string, string> {
    return Object.fromEntries(
      entries.flatMap((entry): [string, string][] => {
        const name = names[entry.tag];
        const text = name === undefined ? null : this.#text(entry);
        return name === undefined || text === null ? [] : [[name, text]];
      }),
    );
  }

  #text({ type, count, at }: Entry): string | null {
    if (type === ASCII) {
      const from = count <= 4 ? at : this.u32(at);
      const text = this.#bytes.toString('utf8', from, from + Math.min(count, MAX_TEXT));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what ends a text, and what has no place in one
      return text.replace(/\0[\s\S]*$/, '').replace(/[\x00-\x1f]/g, ' ') || null;
    }
    if (type === SHORT && count === 1) return String(this.u16(at));
    if (type === LONG && count === 1) return String(this.u32(at));
    if (type !== RATIONAL || count < 1 || count > 3) return null;
    const from = this.u32(at);
    if (from + count * 8 > this.#bytes.length) return null;
    const parts = Array.from({ length: count }, (_, index) => {
      const each = from + index * 8;
      return `${this.u32(each)}/${this.u32(each + 4)}`;
    });
    return parts.some((part) => part.endsWith('/0')) ? null : parts.join(' ');
  }
}

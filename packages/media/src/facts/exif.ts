import type { FileFacts, FileLocation } from '@carcosa/contracts';
import readExif from 'exif-reader';

/** What is told of a camera: nothing that names the person or the very device, and nothing of the place. */
const TOLD = {
  Image: { Make: 'make', Model: 'model', Software: 'software', Copyright: 'copyright' },
  Photo: {
    DateTimeOriginal: 'takenAt',
    ExposureTime: 'exposureTime',
    FNumber: 'fNumber',
    ISOSpeedRatings: 'iso',
    PhotographicSensitivity: 'iso',
    FocalLength: 'focalLength',
    FocalLengthIn35mmFilm: 'focalLength35mm',
    LensModel: 'lens',
    Flash: 'flash',
  },
} as const;
const MAX_TEXT = 200;

type Tags = Record<string, unknown>;

/** Reads what a camera has written into a picture; the place apart. What cannot be read counts as absent. */
export function exifFacts(bytes: Buffer | undefined): { exif: FileFacts['exif']; location: FileLocation | null } {
  const none = { exif: undefined, location: null };
  if (!bytes) return none;
  try {
    const read = readExif(bytes) as unknown as { Image?: Tags; Photo?: Tags; GPSInfo?: Tags };
    const exif = Object.fromEntries(
      Object.entries(TOLD).flatMap(([part, names]) =>
        Object.entries(names).flatMap(([tag, name]): [string, string | number][] => {
          const value = plain(read[part as 'Image' | 'Photo']?.[tag]);
          return value === null ? [] : [[name, value]];
        }),
      ),
    );
    return { exif: Object.keys(exif).length > 0 ? exif : undefined, location: locationOf(read.GPSInfo) };
  } catch {
    return none;
  }
}

function plain(value: unknown): string | number | null {
  if (value instanceof Date) return Number.isFinite(value.getTime()) ? value.toISOString().slice(0, 19) : null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string') return null;
  return value.replaceAll('\0', '').trim().slice(0, MAX_TEXT).toWellFormed() || null;
}

function locationOf(gps: Tags | undefined): FileLocation | null {
  const latitude = degrees(gps?.GPSLatitude, gps?.GPSLatitudeRef === 'S');
  const longitude = degrees(gps?.GPSLongitude, gps?.GPSLongitudeRef === 'W');
  if (latitude === null || longitude === null || Math.abs(latitude) > 90 || Math.abs(longitude) > 180) return null;
  const altitude = gps?.GPSAltitude;
  return { latitude, longitude, ...(typeof altitude === 'number' && Number.isFinite(altitude) ? { altitude } : {}) };
}

function degrees(parts: unknown, negative: boolean): number | null {
  if (!Array.isArray(parts)) return null;
  const [d = 0, m = 0, s = 0] = parts.map(Number);
  const value = d + m / 60 + s / 3600;
  if (!Number.isFinite(value)) return null;
  return Math.round((negative ? -value : value) * 1e7) / 1e7;
}

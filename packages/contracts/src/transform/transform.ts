/** How the picture meets a box of both sides: as in CSS, with `inside` and `outside` for the largest and smallest that keep its shape. */
export const FITS = ['cover', 'contain', 'fill', 'inside', 'outside'] as const;
export type Fit = (typeof FITS)[number];

/** Which part stays where `cover` cuts, or where the picture lies where `contain` leaves room. */
export const PLACES = [
  'center',
  'north',
  'northeast',
  'east',
  'southeast',
  'south',
  'southwest',
  'west',
  'northwest',
] as const;
/** The part that stays is found by what is in the picture: for `cover` alone. */
export const STRATEGIES = ['attention', 'entropy'] as const;
export type Place = (typeof PLACES)[number];
/** `focal`: around the focal point that is stored with the file (`focalPoint` of its metadata), else around the middle. */
export type Gravity = Place | (typeof STRATEGIES)[number] | 'focal';

export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'avif', 'gif'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Pixels of a side of a result, at most. */
export const MAX_SIDE = 8192;
/** Pixels of a whole result, at most. */
export const MAX_RESULT_PIXELS = 40_000_000;

/** The area that is kept, in pixels of the upright picture. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A point of a picture: 0 to 1 from its left and its top, in thousandths. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** How an overlay and what lies below it become one, by the names of the W3C's Compositing and Blending. */
export const BLENDS = [
  'over',
  'multiply',
  'screen',
  'overlay',
  'darken',
  'lighten',
  'color-dodge',
  'color-burn',
  'hard-light',
  'soft-light',
  'difference',
  'exclusion',
  'add',
  'dest-in',
  'dest-out',
  'xor',
] as const;
export type Blend = (typeof BLENDS)[number];

/** Metadata of the original that a result may carry. */
export const KEPT_METADATA = ['exif', 'gps', 'icc'] as const;
export type KeptMetadata = (typeof KEPT_METADATA)[number];

/** Characters of a text, steps of a chain, and bytes that a result may be held to. */
export const MAX_TEXT_LENGTH = 200;
export const MAX_CHAIN = 4;
export const MIN_MAX_BYTES = 500;
export const MAX_MAX_BYTES = 16 * 1024 * 1024;

/** What is done with a picture, in the order in which it is done. */
export interface ImageSteps {
  readonly crop?: Crop;
  /** Cuts off borders that differ less than this from the pixel in the corner: 1 to 99. */
  readonly trim?: number;
  /** Degrees clockwise, 1 to 359. */
  readonly rotate?: number;
  /** Pixels, 1 to {@link MAX_SIDE}; `dpr` is multiplied into both. */
  readonly width?: number;
  readonly height?: number;
  /** Default `cover`; only with both sides. */
  readonly fit?: Exclude<Fit, 'cover'>;
  /** Default `center`; only where the fit is `cover` or `contain`. */
  readonly gravity?: Exclude<Gravity, 'center'>;
  /** Lets a picture grow; it never does otherwise. */
  readonly enlarge?: true;
  /** Upside down. */
  readonly flip?: true;
  /** Left to right. */
  readonly flop?: true;
  /** Pixels added on each side, 1 to 1,000. */
  readonly pad?: number;
  /** Six hexadecimal digits, or eight with opacity: what is added is of this colour, and what is transparent becomes it if it is opaque. */
  readonly background?: string;
  /** Standard deviation in pixels, 0.3 to 100. */
  readonly blur?: number;
  /** Standard deviation in pixels, 0.1 to 10. */
  readonly sharpen?: number;
  /** Factors, 0 to 4. */
  readonly brightness?: number;
  readonly saturation?: number;
  readonly contrast?: number;
  /** Degrees, 1 to 359. */
  readonly hue?: number;
  /** Six hexadecimal digits. */
  readonly tint?: string;
  readonly grayscale?: true;
  /** What `cover` keeps is as near to this point as it can be; instead of a gravity. */
  readonly focal?: Point;
  /** The path of another file of the project, which is laid over the picture. */
  readonly overlay?: string;
  /** Default `center`. */
  readonly overlayGravity?: Exclude<Place, 'center'>;
  /** Pixels from the edge that the gravity names, or from the middle: -8,192 to 8,192. */
  readonly overlayX?: number;
  readonly overlayY?: number;
  /** Pixels; an overlay is made as small as the picture in any case. */
  readonly overlayWidth?: number;
  readonly overlayHeight?: number;
  /** 0 to 1; absent: 1. */
  readonly overlayOpacity?: number;
  /** Default `over`. */
  readonly blend?: Exclude<Blend, 'over'>;
  /** Repeats the overlay all over the picture. */
  readonly tile?: true;
  /** A line or more that is written over the picture, 1 to {@link MAX_TEXT_LENGTH} characters. */
  readonly text?: string;
  /** Default `center`. */
  readonly textGravity?: Exclude<Place, 'center'>;
  readonly textX?: number;
  readonly textY?: number;
  /** Pixels, 4 to 1,000; absent: {@link DEFAULT_TEXT_SIZE}. */
  readonly textSize?: number;
  /** Six hexadecimal digits, or eight with opacity; absent: {@link DEFAULT_TEXT_COLOUR}. */
  readonly textColour?: string;
  /** Radius of the corners in pixels, 1 to 4,096, or `max` for a circle or a capsule. */
  readonly round?: number | 'max';
}

export const DEFAULT_TEXT_SIZE = 32;
export const DEFAULT_TEXT_COLOUR = 'ffffff';

/**
 * All that is done with a picture. What is absent is not done; a value that changes nothing is always absent, so that equal
 * transforms are equal objects. The picture is turned upright first, and comes out in sRGB and without metadata.
 */
export interface ImageTransform extends ImageSteps {
  /** Steps that follow, each group on the result of the one before. */
  readonly next?: readonly ImageSteps[];
  /** The name of steps that the project keeps; what the address says itself goes before. */
  readonly preset?: string;
  /** Which frame of an animation or page of a document, from 1; absent: the first. */
  readonly page?: number;
  /** Keeps all frames, where the result is WebP or GIF. */
  readonly animated?: true;
  /** Sorted. */
  readonly keep?: readonly KeptMetadata[];
  /** Bytes that the result may have: the quality is lowered until it does. */
  readonly maxBytes?: number;
  /** Absent: as the original is stored. `auto`: by what the client accepts. */
  readonly format?: ImageFormat | 'auto';
  /** 1 to 100; absent: {@link DEFAULT_QUALITY} of the format; `auto`: the lowest that looks the same, as measured. */
  readonly quality?: number | 'auto';
}

/** A transform of which the format is known. */
export type ResolvedTransform = ImageTransform & { readonly format: ImageFormat };

export const DEFAULT_QUALITY: Readonly<Record<ImageFormat, number | null>> = {
  jpeg: 80,
  webp: 80,
  avif: 50,
  // Both lose nothing but colours: a number would say nothing.
  png: null,
  gif: null,
};

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
export type Gravity = (typeof PLACES)[number] | (typeof STRATEGIES)[number];

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

/**
 * What is done with a picture, in the order in which it is done. What is absent is not done; a value that changes nothing is
 * always absent, so that equal transforms are equal objects. The picture is turned upright first, and comes out in sRGB and
 * without metadata.
 */
export interface ImageTransform {
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
  /** Absent: as the original is stored. `auto`: by what the client accepts. */
  readonly format?: ImageFormat | 'auto';
  /** 1 to 100; absent: {@link DEFAULT_QUALITY} of the format. */
  readonly quality?: number;
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

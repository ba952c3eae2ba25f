import type { Step } from './step.ts';

/**
 * The library's default effort costs a third more time than 2 for the same WebP picture, and several times as much as 0 for AVIF,
 * whose files are half the size of WebP even so.
 */
const WEBP_EFFORT = 2;
const AVIF_EFFORT = 0;

/** Without any metadata, where the picture was taken above all; the library turns colours into sRGB where it drops their profile. */
export const encode: Step = (image, { format, quality: wanted }) => {
  // The library's own defaults are those of the grammar: a test holds them equal.
  const quality = wanted === undefined ? {} : { quality: wanted };
  switch (format) {
    case 'jpeg':
      return image.jpeg(quality);
    case 'webp':
      return image.webp({ ...quality, effort: WEBP_EFFORT });
    case 'avif':
      return image.avif({ ...quality, effort: AVIF_EFFORT });
    case 'png':
      return image.png();
    case 'gif':
      return image.gif();
  }
};

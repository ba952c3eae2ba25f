export const TRANSPARENT = { r: 0, g: 0, b: 0, alpha: 0 };

/** Of six or eight hexadecimal digits, as the library wants it. */
export function colourOf(digits: string): { r: number; g: number; b: number; alpha: number } {
  const [r = 0, g = 0, b = 0, alpha = 255] = (digits.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
  return { r, g, b, alpha: alpha / 255 };
}

export const isOpaque = (digits: string): boolean => digits.length === 6;

/** What lies where nothing of the picture does: transparent, where no colour was named. */
export const fillOf = (background: string | undefined) =>
  background === undefined ? TRANSPARENT : colourOf(background);

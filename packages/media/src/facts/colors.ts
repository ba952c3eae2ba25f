/** A colour of a picture, and which part of the picture has it. */
export interface ColorShare {
  /** Six hexadecimal digits. */
  hex: string;
  /** 0 to 1. */
  share: number;
}

type Rgb = readonly [number, number, number];

interface Cell {
  sum: [number, number, number];
  count: number;
}

const MOST = 6;
/** Less than this share is a detail. */
const LEAST_SHARE = 0.02;
/** In CIE L*a*b*: colours nearer than this are taken for one. */
const NEAR = 18;
/** A pixel that is more transparent has no colour. */
const OPAQUE = 128;

/**
 * The most frequent colours of a picture, the first being the dominant one.
 * @param pixels red, green, blue and alpha of each
 */
export function dominantColors(pixels: Uint8Array): ColorShare[] {
  const cells = new Map<number, Cell>();
  let counted = 0;
  for (let at = 0; at + 3 < pixels.length; at += 4) {
    const [r, g, b, alpha] = [pixels[at], pixels[at + 1], pixels[at + 2], pixels[at + 3]] as [
      number,
      number,
      number,
      number,
    ];
    if (alpha < OPAQUE) continue;
    counted += 1;
    const place = ((r >> 4) << 8) | ((g >> 4) << 4) | (b >> 4);
    const cell = cells.get(place) ?? { sum: [0, 0, 0], count: 0 };
    cell.sum[0] += r;
    cell.sum[1] += g;
    cell.sum[2] += b;
    cell.count += 1;
    cells.set(place, cell);
  }
  const merged = mergeNear([...cells.values()].sort((one, other) => other.count - one.count));
  return merged
    .sort((one, other) => other.count - one.count)
    .slice(0, MOST)
    .map((cell) => ({ hex: hexOf(mean(cell)), share: Math.round((cell.count / counted) * 1000) / 1000 }))
    .filter(({ share }, index) => index === 0 || share >= LEAST_SHARE);
}

/** Each goes to the first, and so most frequent, of those that it is near to. */
function mergeNear(cells: readonly Cell[]): Cell[] {
  const kept: { cell: Cell; lab: Rgb }[] = [];
  for (const { sum, count } of cells) {
    const lab = labOf(mean({ sum, count }));
    const near = kept.find((each) => distance(each.lab, lab) < NEAR);
    if (near)
      near.cell = {
        sum: [0, 1, 2].map((at) => (near.cell.sum[at] as number) + (sum[at] as number)) as Cell['sum'],
        count: near.cell.count + count,
      };
    else kept.push({ cell: { sum, count }, lab });
  }
  return kept.map(({ cell }) => cell);
}

const mean = ({ sum, count }: Cell): Rgb => [sum[0] / count, sum[1] / count, sum[2] / count];
const hexOf = (color: Rgb): string => color.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('');
const distance = (one: Rgb, other: Rgb): number => Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);

/** A colour of sRGB as CIE L*a*b* under D65, in which distances are about as large as they look (CIE 15:2004). */
export function labOf([r, g, b]: Rgb): Rgb {
  const linear = [r, g, b].map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const [red, green, blue] = linear;
  const x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047;
  const y = 0.2126729 * red + 0.7151522 * green + 0.072175 * blue;
  const z = (0.0193339 * red + 0.119192 * green + 0.9503041 * blue) / 1.08883;
  const [fx, fy, fz] = [x, y, z].map((value) => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116)) as [
    number,
    number,
    number,
  ];
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
}

/** @param hex six hexadecimal digits */
export function labOfHex(hex: string): Rgb {
  return labOf([0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as unknown as Rgb);
}

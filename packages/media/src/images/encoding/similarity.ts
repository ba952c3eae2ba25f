/** Pixels in rows, as the library gives them. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

const BLOCK = 8;
/** As many blocks, spread over the picture, tell enough. */
const MAX_BLOCKS = 4000;
// The constants of Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004).
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

/** Structural similarity (SSIM) of the brightness of two pictures of one size: 1 where they are equal. */
export function similarity(one: Pixels, other: Pixels): number {
  const [columns, rows] = [Math.floor(one.width / BLOCK), Math.floor(one.height / BLOCK)];
  if (columns === 0 || rows === 0) return 1;
  const stride = Math.max(1, Math.floor(Math.sqrt((columns * rows) / MAX_BLOCKS)));
  let sum = 0;
  let count = 0;
  for (let row = 0; row < rows; row += stride) {
    for (let column = 0; column < columns; column += stride) {
      sum += ofBlock(one, other, column * BLOCK, row * BLOCK);
      count += 1;
    }
  }
  return sum / count;
}

function ofBlock(one: Pixels, other: Pixels, left: number, top: number): number {
  let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
  for (let y = top; y < top + BLOCK; y++) {
    for (let x = left; x < left + BLOCK; x++) {
      const [p, q] = [brightness(one, x, y), brightness(other, x, y)];
      a += p;
      b += q;
      aa += p * p;
      bb += q * q;
      ab += p * q;
    }
  }
  const n = BLOCK * BLOCK;
  const [ma, mb] = [a / n, b / n];
  const [va, vb, cov] = [aa / n - ma * ma, bb / n - mb * mb, ab / n - ma * mb];
  return ((2 * ma * mb + C1) * (2 * cov + C2)) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
}

/** By ITU-R BT.601. */
function brightness({ data, width, channels }: Pixels, x: number, y: number): number {
  const at = (y * width + x) * channels;
  if (channels < 3) return data[at] as number;
  return 0.299 * (data[at] as number) + 0.587 * (data[at + 1] as number) + 0.114 * (data[at + 2] as number);
}

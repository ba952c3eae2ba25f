import type { Raster } from './raster.ts';

/** Makes the corners of each frame transparent, in place. @param radius in pixels, at most half of the shorter side; `max`: just that */
export function roundCorners({ data, width, height, frames }: Raster, radius: number | 'max'): void {
  const most = Math.min(width, height) / 2;
  const r = radius === 'max' ? most : Math.min(radius, most);
  const reach = Math.ceil(r);
  for (let frame = 0; frame < frames; frame++) {
    for (let row = 0; row < reach; row++) {
      for (let column = 0; column < reach; column++) {
        // How much of the pixel lies within the circle, by the distance of its middle.
        const coverage = r - Math.hypot(r - column - 0.5, r - row - 0.5) + 0.5;
        if (coverage >= 1) break;
        // A pixel in the middle of a side is its own mirror.
        for (const y of new Set([row, height - 1 - row])) {
          for (const x of new Set([column, width - 1 - column])) {
            const at = ((frame * height + y) * width + x) * 4 + 3;
            data[at] = Math.round((data[at] as number) * Math.max(0, coverage));
          }
        }
      }
    }
  }
}

import type { Place } from '@carcosa/contracts';

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Where something lies in a picture, in pixels from its left and top.
 * @param x, y pixels from the edge that the place names, inwards; from the middle where it names none
 */
export function placed(place: Place, picture: Size, thing: Size, x: number, y: number): { left: number; top: number } {
  const along = (free: number, isStart: boolean, isEnd: boolean, offset: number): number => {
    if (isStart) return offset;
    return isEnd ? free - offset : Math.round(free / 2) + offset;
  };
  return {
    left: along(picture.width - thing.width, place.endsWith('west'), place.endsWith('east'), x),
    top: along(picture.height - thing.height, place.startsWith('north'), place.startsWith('south'), y),
  };
}

import type { Size } from "@/features/terminals/link";

export interface Extent {
  width: number;
  height: number;
}

/** For the bar at the right of them that scrolls. */
const BAR_PX = 14;
const STEP_PX = 0.25;
const LEAST_PX = 4;
const MOST_PX = 20;
/** Where characters are smaller, somebody may want to see less of them at once. */
export const SMALL_PX = 9;
export const READABLE_PX = 12;

/** The size of the font at which so many characters fill the room and no more, when at `current` pixels one takes `cell`. */
export function fontThatFits({ rows, columns }: Size, room: Extent, cell: Extent, current: number): number {
  const factor = Math.min((room.width - BAR_PX) / (columns * cell.width), room.height / (rows * cell.height));
  const font = Math.floor(current * factor / STEP_PX) * STEP_PX;
  return Math.min(Math.max(font, LEAST_PX), MOST_PX);
}

/** Finds the size for one room: cells have whole numbers of pixels, so what should fit may turn out a little too large. */
export class Scaling {
  private most = Number.POSITIVE_INFINITY;

  /** What to try after `current`; the same when that is right. */
  next(size: Size, room: Extent, cell: Extent, current: number): number {
    const isTooLarge = cell.width * size.columns > room.width - BAR_PX || cell.height * size.rows > room.height;
    if (isTooLarge) this.most = Math.min(this.most, current - STEP_PX);
    return Math.max(Math.min(fontThatFits(size, room, cell, current), this.most), LEAST_PX);
  }
}

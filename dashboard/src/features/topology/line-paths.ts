/** Where something is drawn, in pixels from the picture's corner. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

interface Ends {
  hub: Box;
  /** By what each is called. */
  ends: ReadonlyMap<string, Box>;
}

/** How far the line down the side of a narrow picture is from its edge. */
const TRUNK = 12;
/** Of its corners. */
const RADIUS = 8;

const middle = ({ top, height }: Box) => top + height / 2;
const right = ({ left, width }: Box) => left + width;

type Side = "left" | "right" | "below";

/** What overlaps the hub's columns is below it: the picture is narrow. */
function sideOf(hub: Box, end: Box): Side {
  if (right(end) <= hub.left) return "left";
  return end.left >= right(hub) ? "right" : "below";
}

/** Bends halfway, and leaves and arrives level. */
function curve(fromX: number, fromY: number, toX: number, toY: number): string {
  const half = (fromX + toX) / 2;
  return `M${fromX} ${fromY}C${half} ${fromY} ${half} ${toY} ${toX} ${toY}`;
}

/** Down the side, then into the box. */
function branch(hub: Box, end: Box): string {
  const [x, y] = [hub.left + TRUNK, middle(end)];
  return `M${x} ${hub.top + hub.height}V${y - RADIUS}Q${x} ${y} ${x + RADIUS} ${y}H${end.left}`;
}

/** An SVG path from the hub to each end, by its name. Those of one side leave the hub one below the other, so that none cross. */
export function linesOf({ hub, ends }: Ends): Map<string, string> {
  const on = (side: Side) => [...ends].filter(([, end]) => sideOf(hub, end) === side).sort(([, a], [, b]) => middle(a) - middle(b));
  const port = (index: number, of: number) => hub.top + (hub.height * (index + 1)) / (of + 1);
  const paths = new Map<string, string>();
  on("left").forEach(([name, end], index, { length }) => paths.set(name, curve(hub.left, port(index, length), right(end), middle(end))));
  on("right").forEach(([name, end], index, { length }) => paths.set(name, curve(right(hub), port(index, length), end.left, middle(end))));
  on("below").forEach(([name, end]) => paths.set(name, branch(hub, end)));
  return paths;
}

export type Scroll = "up" | "down" | "page-up" | "page-down" | "top" | "bottom";

const scrolls: Record<string, Scroll> = { ArrowUp: "up", ArrowDown: "down", PageUp: "page-up", PageDown: "page-down", Home: "top", End: "bottom" };

/** What a key moves in a terminal into which nothing is typed. */
export function scrollOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "altKey" | "metaKey">): Scroll | undefined {
  return event.ctrlKey || event.altKey || event.metaKey ? undefined : scrolls[event.key];
}

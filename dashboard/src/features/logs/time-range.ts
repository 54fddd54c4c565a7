/** Which time a reader wants to see; `custom` has instants as the browser's own field gives them. */
export interface TimeRange {
  preset: string;
  from: string;
  to: string;
}

export const allTime: TimeRange = { preset: "all", from: "", to: "" };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export const presets: { value: string; label: string; length?: number }[] = [
  { value: "all", label: "Any time" },
  { value: "15m", label: "Last 15 minutes", length: 15 * MINUTE_MS },
  { value: "1h", label: "Last hour", length: HOUR_MS },
  { value: "24h", label: "Last 24 hours", length: 24 * HOUR_MS },
  { value: "7d", label: "Last 7 days", length: 7 * 24 * HOUR_MS },
  { value: "custom", label: "Between…" },
];

function instant(local: string): string | undefined {
  const at = new Date(local).getTime();
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** What to ask the server for. A range with an end is not live. */
export function toBounds(range: TimeRange, now: number): { since?: string; until?: string } {
  if (range.preset === "custom") return { since: instant(range.from), until: instant(range.to) };
  const length = presets.find((preset) => preset.value === range.preset)?.length;
  return length === undefined ? {} : { since: new Date(now - length).toISOString() };
}

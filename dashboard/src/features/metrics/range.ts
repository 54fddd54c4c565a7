/** How far back a plot goes. */
export interface Range {
  value: string;
  label: string;
  /** In words, after "over". */
  words: string;
  seconds: number;
  /** How often there is something new to see. */
  refreshMs: number;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const live: Range = { value: "10m", label: "10 min", words: "the last ten minutes", seconds: 10 * MINUTE, refreshMs: 2000 };

export const ranges: readonly Range[] = [
  live,
  { value: "1h", label: "1 h", words: "the last hour", seconds: HOUR, refreshMs: 10_000 },
  { value: "24h", label: "24 h", words: "the last day", seconds: DAY, refreshMs: 30_000 },
  { value: "30d", label: "30 d", words: "the last 30 days", seconds: 30 * DAY, refreshMs: 60_000 },
];

/** What an address says, which anybody may write. */
export function rangeOf(value: string | null): Range {
  return ranges.find((range) => range.value === value) ?? live;
}

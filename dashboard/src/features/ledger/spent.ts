import type { Completion } from "@/api/types";
import type { Axis, Columns } from "@/features/metrics/plot-series";
import { formatCredits } from "@/format/credits";

const HOUR = 3600;
/** How far back the plot goes, in hours. */
export const HOURS = 24;
/** As many completions as the server tells: there may be older ones when it tells that many. */
const MOST = 100;

/**
 * What completions cost in each hour, in microcredits, as a plot takes it: the last column stands for the end of the hour that
 * is not over. Nothing is known of hours before the oldest completion where there may be older ones.
 */
export function spentColumns(completions: readonly Completion[], now: number): Columns {
  const end = (Math.floor(now / 1000 / HOUR) + 1) * HOUR;
  const hours = Array.from({ length: HOURS }, (_, hour) => end - (HOURS - hour) * HOUR);
  const known = completions.map(({ created_at, cost }) => ({ time: Date.parse(created_at) / 1000, cost })).filter(({ time }) => Number.isFinite(time));
  const oldest = completions.length < MOST ? -Infinity : Math.min(...known.map(({ time }) => time));
  const spent = hours.map((begin) => {
    if (begin + HOUR <= oldest) return null;
    return known.reduce((sum, { time, cost }) => (time >= begin && time < begin + HOUR ? sum + cost : sum), 0);
  });
  return [
    [...hours, end],
    [...spent, null],
  ];
}

/** What all hours come to. */
export function totalOf([, spent = []]: Columns): number {
  return spent.reduce<number>((sum, each) => sum + (each ?? 0), 0);
}

/** 1, 2, 5, 10, 20, 50 … */
const STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

export function creditsCeiling(max: number): number {
  return STEPS.find((step) => step >= Math.max(100, max * 1.05)) ?? max * 1.05;
}

/** Without digits that say nothing: on an axis, amounts are round. */
export function formatTick(microcredits: number): string {
  return formatCredits(microcredits).replace(/\.?0+$/, "");
}

export const creditsAxis: Axis = {
  format: formatTick,
  ceiling: creditsCeiling,
  width: 64,
  increments: STEPS,
};

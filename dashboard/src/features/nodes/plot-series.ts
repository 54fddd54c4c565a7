import type { NodeMetrics } from "@/api/types";
import { formatRate, percentOf } from "@/format/quantity";

/** Columns as uPlot takes them: the times first, then one for each line. */
export type Columns = [number[], ...number[][]];

function columns(samples: readonly NodeMetrics[], ...lines: ((sample: NodeMetrics) => number)[]): Columns {
  const timed = samples.map((sample) => ({ sample, time: Date.parse(sample.time) / 1000 })).filter(({ time }) => Number.isFinite(time));
  return [timed.map(({ time }) => time), ...lines.map((line) => timed.map(({ sample }) => line(sample)))];
}

export function cpuColumns(samples: readonly NodeMetrics[]): Columns {
  return columns(samples, (sample) => sample.cpu_percent);
}

export function memoryColumns(samples: readonly NodeMetrics[]): Columns {
  return columns(samples, (sample) => percentOf(sample.memory_used_bytes, sample.memory_total_bytes));
}

export function networkColumns(samples: readonly NodeMetrics[]): Columns {
  return columns(
    samples,
    (sample) => sample.network_rx_bytes_per_second,
    (sample) => sample.network_tx_bytes_per_second,
  );
}

const STEPS = [1, 2, 3, 4, 6, 8, 10, 16, 20, 32, 40, 64, 100, 128, 200, 256, 400, 512, 800];

/** The upper end of the axis for rates: a round number with a little room, and never a flat line at the top for silence. */
export function rateCeiling(max: number): number {
  const wanted = Math.max(1024, max * 1.05);
  const unit = 1024 ** Math.floor(Math.log(wanted) / Math.log(1024));
  return (STEPS.find((step) => step * unit >= wanted) ?? 1024) * unit;
}

export interface Axis {
  format: (value: number) => string;
  /** The upper end for the largest value shown. */
  ceiling: (max: number) => number;
  /** How wide its texts are. */
  width: number;
  /** Distances that make round numbers. */
  increments: number[];
}

export const percentAxis: Axis = {
  format: (value) => `${Math.round(value)}%`,
  ceiling: () => 100,
  width: 42,
  increments: [25, 50],
};

export const rateAxis: Axis = {
  format: formatRate,
  ceiling: rateCeiling,
  width: 66,
  increments: [1, 1024, 1024 ** 2, 1024 ** 3].flatMap((unit) => [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((step) => step * unit)),
};

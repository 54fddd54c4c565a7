import type { NodeMetrics } from "@/api/types";
import { percentOf } from "@/format/quantity";

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

/** The upper end of the axis for rates: a round number with a little room, and never a flat line at the top for silence. */
export function rateCeiling(max: number): number {
  const wanted = Math.max(1024, max * 1.05);
  const unit = 1024 ** Math.floor(Math.log(wanted) / Math.log(1024));
  const round = [1, 2, 4, 8, 10, 20, 40, 80, 100, 200, 400, 800].find((step) => step * unit >= wanted);
  return (round ?? 1024) * unit;
}

import type { NodeMetrics, ProcessSample, ProjectMetrics } from "@/api/types";
import { formatBytes, formatRate, percentOf } from "@/format/quantity";

/** Columns as uPlot takes them: the times first, then one for each line. Nothing is known where there is null. */
export type Columns = [number[], ...(number | null)[][]];

/** A line: its name, and the name of a theme colour without its dashes. */
export interface Line {
  label: string;
  colour: string;
  /** Drawn thinly, without an area below it. */
  faint?: boolean;
  /** Each value is of the time until the next one, and drawn as a bar. */
  bars?: boolean;
}

/** What comes later than this many intervals after the one before comes after a gap. */
const GAP = 2.5;

interface Timed {
  time: string;
}

function timed<S extends Timed>(samples: readonly S[]): { time: number; sample: S }[] {
  return samples.map((sample) => ({ sample, time: Date.parse(sample.time) / 1000 })).filter(({ time }) => Number.isFinite(time));
}

/** Parts the lines where samples are missing. */
export function withGaps([times, ...lines]: Columns, interval: number): Columns {
  const gappedTimes: number[] = [];
  const gapped = lines.map((): (number | null)[] => []);
  const push = (time: number, value: (line: number) => number | null) => {
    gappedTimes.push(time);
    gapped.forEach((line, number) => line.push(value(number)));
  };
  times.forEach((time, index) => {
    const before = times[index - 1];
    if (before !== undefined && time - before > GAP * interval) push(before + interval, () => null);
    push(time, (line) => lines[line]?.[index] ?? null);
  });
  return [gappedTimes, ...gapped];
}

function columns(samples: readonly NodeMetrics[], interval: number, ...lines: ((sample: NodeMetrics) => number | null)[]): Columns {
  const all = timed(samples);
  return withGaps([all.map(({ time }) => time), ...lines.map((line) => all.map(({ sample }) => line(sample)))], interval);
}

export function cpuColumns(samples: readonly NodeMetrics[], interval: number): Columns {
  const hasPeaks = samples.some((sample) => sample.cpu_percent_max != null);
  const peaks = hasPeaks ? [(sample: NodeMetrics) => sample.cpu_percent_max ?? null] : [];
  return columns(samples, interval, (sample) => sample.cpu_percent, ...peaks);
}

/** A second line where there is swap. */
export function memoryColumns(samples: readonly NodeMetrics[], interval: number): Columns {
  const hasSwap = samples.some((sample) => (sample.swap_total_bytes ?? 0) > 0);
  const swap = hasSwap ? [(sample: NodeMetrics) => percentOf(sample.swap_used_bytes ?? 0, sample.swap_total_bytes ?? 0)] : [];
  return columns(samples, interval, (sample) => percentOf(sample.memory_used_bytes, sample.memory_total_bytes), ...swap);
}

export function diskColumns(samples: readonly NodeMetrics[], interval: number): Columns {
  return columns(samples, interval, (sample) => percentOf(sample.disk_used_bytes, sample.disk_total_bytes));
}

export function networkColumns(samples: readonly NodeMetrics[], interval: number): Columns {
  return columns(
    samples,
    interval,
    (sample) => sample.network_rx_bytes_per_second,
    (sample) => sample.network_tx_bytes_per_second,
  );
}

/** A line for each process. They need not have run at the same times. */
export function processColumns({ processes, interval_seconds }: ProjectMetrics, value: (sample: ProcessSample) => number): Columns {
  const lines = processes.map(({ samples }) => new Map(timed(samples).map(({ time, sample }) => [time, value(sample)])));
  const times = [...new Set(lines.flatMap((line) => [...line.keys()]))].sort((a, b) => a - b);
  return withGaps([times, ...lines.map((line) => times.map((time) => line.get(time) ?? null))], interval_seconds);
}

/** What all processes received and sent together. */
export function projectNetworkColumns(metrics: ProjectMetrics): Columns {
  const together = (value: (sample: ProcessSample) => number): Columns => {
    const [times, ...lines] = processColumns(metrics, value);
    const sum = (index: number) => lines.reduce<number | null>((sum, line) => (line[index] == null ? sum : (sum ?? 0) + line[index]), null);
    return [times, times.map((_, index) => sum(index))];
  };
  const [times, received = []] = together((sample) => sample.network_rx_bytes_per_second);
  const [, sent = []] = together((sample) => sample.network_tx_bytes_per_second);
  return [times, received, sent];
}

export function volumeColumns({ volumes, interval_seconds }: ProjectMetrics): Columns {
  const all = timed(volumes);
  return withGaps([all.map(({ time }) => time), all.map(({ sample }) => sample.used_bytes)], interval_seconds);
}

/** The newest number of a line. */
export function last(columns: Columns, line = 1): number {
  return columns[line]?.at(-1) ?? 0;
}

const STEPS = [1, 2, 3, 4, 6, 8, 10, 16, 20, 32, 40, 64, 100, 128, 200, 256, 400, 512, 800];

/** The upper end of the axis for bytes: a round number with a little room, and never a flat line at the top for silence. */
export function bytesCeiling(max: number): number {
  const wanted = Math.max(1024, max * 1.05);
  const unit = 1024 ** Math.floor(Math.log(wanted) / Math.log(1024));
  return (STEPS.find((step) => step * unit >= wanted) ?? 1024) * unit;
}

/** The same for percents of a core, of which there may be many. */
export function coresCeiling(max: number): number {
  const steps = [10, 20, 50, 100, 200, 400, 800, 1600];
  return steps.find((step) => step >= max * 1.05) ?? Math.ceil(max / 1000) * 1000;
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

export const coresAxis: Axis = {
  format: (value) => (value < 10 && value > 0 ? `${value.toFixed(1)}%` : `${Math.round(value)}%`),
  ceiling: coresCeiling,
  width: 48,
  increments: [5, 10, 25, 50, 100, 200, 400, 800],
};

const byteSteps = [1, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4].flatMap((unit) => [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((step) => step * unit));

export const rateAxis: Axis = {
  format: formatRate,
  ceiling: bytesCeiling,
  width: 66,
  increments: byteSteps,
};

export const bytesAxis: Axis = {
  format: formatBytes,
  ceiling: bytesCeiling,
  width: 60,
  increments: byteSteps,
};

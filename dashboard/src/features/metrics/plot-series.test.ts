import { expect, it } from "vitest";

import type { NodeMetrics, ProcessSample, ProjectMetrics } from "@/api/types";

import { bytesCeiling, coresCeiling, cpuColumns, memoryColumns, networkColumns, processColumns, projectNetworkColumns, withGaps } from "./plot-series";

const sample: NodeMetrics = {
  time: "2026-03-01T12:00:00Z",
  cpu_percent: 12,
  cpu_cores: 2,
  load: 0.5,
  memory_used_bytes: 1,
  memory_total_bytes: 4,
  swap_used_bytes: 0,
  swap_total_bytes: 0,
  disk_used_bytes: 1,
  disk_total_bytes: 2,
  network_rx_bytes_per_second: 100,
  network_tx_bytes_per_second: 50,
};
const begin = Date.parse(sample.time) / 1000;

it("makes columns of samples and leaves out those without a time", () => {
  const samples = [sample, { ...sample, time: "?" }];
  expect(cpuColumns(samples, 2)).toEqual([[begin], [12]]);
  expect(memoryColumns(samples, 2)).toEqual([[begin], [25]]);
  expect(networkColumns(samples, 2)).toEqual([[begin], [100], [50]]);
});

it("has a line more for peaks and for swap", () => {
  const peak = { ...sample, cpu_percent_max: 80, swap_used_bytes: 1, swap_total_bytes: 2 };
  expect(cpuColumns([peak], 10)).toEqual([[begin], [12], [80]]);
  expect(memoryColumns([peak], 10)).toEqual([[begin], [25], [50]]);
});

it("parts lines where samples are missing, and nowhere else", () => {
  expect(withGaps([[0, 10, 21, 60, 70], [1, 2, 3, 4, 5]], 10)).toEqual([
    [0, 10, 21, 31, 60, 70],
    [1, 2, 3, null, 4, 5],
  ]);
  expect(withGaps([[], []], 10)).toEqual([[], []]);
});

function processSample(second: number, value: number): ProcessSample {
  const time = new Date((begin + second) * 1000).toISOString();
  const both = { cpu_percent: value, cpu_percent_max: value, memory_bytes: value, memory_bytes_max: value };
  const received = { network_rx_bytes_per_second: value, network_rx_bytes_per_second_max: value };
  return { time, ...both, ...received, network_tx_bytes_per_second: 1, network_tx_bytes_per_second_max: 1 };
}

it("puts processes side by side, whenever they ran", () => {
  const metrics: ProjectMetrics = {
    interval_seconds: 10,
    processes: [
      { process: "web", samples: [processSample(0, 5), processSample(10, 6)] },
      { process: "worker", samples: [processSample(10, 7), processSample(20, 8)] },
    ],
    volumes: [],
  };
  const times = [begin, begin + 10, begin + 20];
  expect(processColumns(metrics, (it) => it.cpu_percent)).toEqual([times, [5, 6, null], [null, 7, 8]]);
  expect(projectNetworkColumns(metrics)).toEqual([times, [5, 13, 8], [1, 2, 1]]);
});

it("keeps silence at the bottom", () => {
  expect(bytesCeiling(0)).toBe(1024);
  expect(bytesCeiling(9000)).toBe(10 * 1024);
  expect(bytesCeiling(400_000)).toBe(512 * 1024);
  expect(bytesCeiling(1_040_000)).toBe(2 * 1024 ** 2);
  expect(coresCeiling(0)).toBe(10);
  expect(coresCeiling(150)).toBe(200);
  expect(coresCeiling(3300)).toBe(4000);
});

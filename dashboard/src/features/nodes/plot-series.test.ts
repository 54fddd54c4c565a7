import { expect, it } from "vitest";

import type { NodeMetrics } from "@/api/types";

import { cpuColumns, memoryColumns, networkColumns, rateCeiling } from "./plot-series";

const sample: NodeMetrics = {
  time: "2026-03-01T12:00:00Z",
  cpu_percent: 12,
  cpu_cores: 2,
  load: 0.5,
  memory_used_bytes: 1,
  memory_total_bytes: 4,
  disk_used_bytes: 1,
  disk_total_bytes: 2,
  network_rx_bytes_per_second: 100,
  network_tx_bytes_per_second: 50,
};

it("makes columns of samples and leaves out those without a time", () => {
  const samples = [sample, { ...sample, time: "?" }];
  const time = Date.parse(sample.time) / 1000;
  expect(cpuColumns(samples)).toEqual([[time], [12]]);
  expect(memoryColumns(samples)).toEqual([[time], [25]]);
  expect(networkColumns(samples)).toEqual([[time], [100], [50]]);
});

it("keeps silence at the bottom", () => {
  expect(rateCeiling(0)).toBe(1024);
  expect(rateCeiling(9000)).toBe(10 * 1024);
  expect(rateCeiling(400_000)).toBe(512 * 1024);
  expect(rateCeiling(1_040_000)).toBe(2 * 1024 ** 2);
});

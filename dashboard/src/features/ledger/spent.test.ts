import { expect, it } from "vitest";

import type { Completion } from "@/api/types";

import { creditsCeiling, formatTick, HOURS, spentColumns, totalOf } from "./spent";

const now = Date.parse("2026-03-01T12:20:00Z");
const completion = (minutesAgo: number, cost: number): Completion => ({
  id: `c${minutesAgo}`,
  model: "m",
  path: "/v1/chat/completions",
  state: "done",
  input_tokens: 1,
  output_tokens: 1,
  cost,
  created_at: new Date(now - minutesAgo * 60_000).toISOString(),
});

it("sums what was spent in each hour", () => {
  const columns = spentColumns([completion(1, 5), completion(19, 6), completion(21, 7), completion(23 * 60, 8), completion(26 * 60, 9)], now);
  const [times, spent = []] = columns;
  expect(times).toHaveLength(HOURS + 1);
  expect(times.at(-1)).toBe(Date.parse("2026-03-01T13:00:00Z") / 1000);
  expect(spent.slice(-3)).toEqual([7, 11, null]);
  expect(spent[0]).toBe(8);
  expect(spent.filter((each) => each === 0)).toHaveLength(HOURS - 3);
  expect(totalOf(columns)).toBe(26);
});

it("does not take what it was not told for nothing", () => {
  const hundred = Array.from({ length: 100 }, () => completion(90, 1));
  const [, spent = []] = spentColumns(hundred, now);
  expect(spent.slice(0, -4).every((each) => each === null)).toBe(true);
  expect(spent.slice(-4)).toEqual([100, 0, 0, null]);
});

it("marks the axis with as few digits as there are", () => {
  expect([0, 5000, 10_000, 2_000_000, 20_000_000].map(formatTick)).toEqual(["0", "0.005", "0.01", "2", "20"]);
});

it("has a round upper end, also for nothing", () => {
  expect(creditsCeiling(0)).toBe(100);
  expect(creditsCeiling(100)).toBe(200);
  expect(creditsCeiling(1_900_000)).toBe(2_000_000);
});

import { expect, it } from "vitest";

import { formatBytes, formatPercent, percentOf } from "./quantity";

it("formats bytes with three digits", () => {
  expect(formatBytes(0)).toBe("0 B");
  expect(formatBytes(1536)).toBe("1.50 KB");
  expect(formatBytes(15.5 * 1024 ** 2)).toBe("15.5 MB");
  expect(formatBytes(731 * 1024 ** 3)).toBe("731 GB");
});

it("never divides by nothing", () => {
  expect(percentOf(5, 0)).toBe(0);
  expect(percentOf(5, 4)).toBe(100);
  expect(formatPercent(3.25)).toBe("3.3%");
  expect(formatPercent(45.4)).toBe("45%");
});

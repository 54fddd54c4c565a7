import { expect, it } from "vitest";

import { formatSpan, formatUntil, parseSpan, scheduleWords } from "./words";

it("reads schedules aloud", () => {
  expect(scheduleWords("*/15 * * * *")).toBe("Every 15 minutes");
  expect(scheduleWords(" 0 3 * * * ")).toBe("At 03:00 (UTC)");
  expect(scheduleWords("@midnight")).toBe("At 00:00 (UTC)");
  expect(scheduleWords("@hourly")).toBe("Every hour");
});

it("says nothing of what is no schedule", () => {
  for (const text of ["", "61 * * * *", "* * * * * *", "every day", "@sometimes"]) expect(scheduleWords(text)).toBeUndefined();
});

it("tells how long it is until a time", () => {
  const minute = 60_000;
  expect(formatUntil(-5 * minute, 0)).toBe("within a minute");
  expect(formatUntil(minute, 0)).toBe("in 1 minute");
  expect(formatUntil(26 * 60 * minute, 0)).toBe("in 26 hours");
  expect(formatUntil(3 * 1440 * minute, 0)).toBe("in 3 days");
});

it("writes time limits as it reads them", () => {
  for (const seconds of [1, 90, 600, 3600, 86_400]) expect(parseSpan(formatSpan(seconds))).toBe(seconds);
  expect(formatSpan(600)).toBe("10m");
  for (const text of ["", "5", "m", "-5m", "1.5h"]) expect(parseSpan(text)).toBeNaN();
});

import { describe, expect, it } from "vitest";

import { formatClock, formatDuration, formatElapsed, formatLeft, formatRelative } from "./time";

const now = Date.parse("2026-03-01T12:00:00Z");
const ago = (seconds: number) => formatRelative(now - seconds * 1000, now);

describe("formatRelative", () => {
  it("goes from seconds to days and then to a date", () => {
    expect(ago(2)).toBe("just now");
    expect(ago(45)).toBe("45 seconds ago");
    expect(ago(60)).toBe("1 minute ago");
    expect(ago(59 * 60)).toBe("59 minutes ago");
    expect(ago(3 * 3600)).toBe("3 hours ago");
    expect(ago(26 * 3600)).toBe("yesterday");
    expect(ago(60 * 86400)).toBe("31 Dec 2025");
  });

  it("forgives a server clock that is ahead", () => {
    expect(ago(-20)).toBe("just now");
  });

  it("says when something will be", () => {
    expect(ago(-3 * 86400)).toBe("in 3 days");
  });
});

describe("formatLeft", () => {
  const left = (seconds: number) => formatLeft(now + seconds * 1000, now);

  it("rounds as people do", () => {
    expect(left(-5)).toBe("less than a minute");
    expect(left(50)).toBe("1 minute");
    expect(left(3599)).toBe("1 hour");
    expect(left(86_399)).toBe("24 hours");
    expect(left(7 * 86_400 - 60)).toBe("7 days");
  });
});

describe("durations", () => {
  it("keeps one decimal below ten seconds", () => {
    expect(formatDuration(840)).toBe("0.8 s");
    expect(formatDuration(42_400)).toBe("42 s");
    expect(formatDuration(185_000)).toBe("3 m 05 s");
    expect(formatDuration(3_720_000)).toBe("1 h 02 m");
    expect(formatDuration(-5)).toBe("0.0 s");
  });

  it("ticks in whole seconds while running", () => {
    expect(formatElapsed(999)).toBe("0 s");
    expect(formatElapsed(59_999)).toBe("59 s");
    expect(formatElapsed(61_900)).toBe("1 m 01 s");
  });
});

describe("formatClock", () => {
  it("shows milliseconds and survives rubbish", () => {
    expect(formatClock("2026-03-01T12:00:00.045Z")).toMatch(/^\d\d:\d\d:00\.045$/);
    expect(formatClock("rubbish")).toBe("--:--:--.---");
  });
});

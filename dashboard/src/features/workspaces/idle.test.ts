import { describe, expect, it } from "vitest";

import { formatLeft, fromLocalField, isAboutToSleep, isAsleep, toLocalField, why } from "./idle";
import type { WorkspaceIdle } from "@/api/types";

const now = Date.parse("2030-01-01T12:00:00Z");
const idle: WorkspaceIdle = {
  cause: "idle",
  because: "",
  sleeps_at: "2030-01-01T12:10:00Z",
  warns_at: "2030-01-01T12:09:00Z",
  last_use: { kind: "typed", at: "2030-01-01T11:40:00Z", terminal_name: "Build" },
};

describe("a workspace that goes to sleep", () => {
  it("says when", () => {
    const left = (seconds: number) => formatLeft(new Date(now + seconds * 1000).toISOString(), now);
    expect([0, 42, 185, 900, 7500, 300_000].map(left)).toEqual(["now", "in 42 s", "in 3:05", "in 15 min", "in 2 h 05 min", "in 3 days"]);
  });

  it("says why", () => {
    expect(why(idle, now)).toMatch(/since \d\d:40, when something was typed in Build$/);
    expect(why({ ...idle, kept_awake_by: { terminal_id: "1", terminal_name: "Build", command: "make" } }, now)).toBe("it is kept awake until `make` in Build ends");
    expect(why({ ...idle, kept_awake_until: idle.sleeps_at }, now)).toMatch(/^it is kept awake until \d\d:10, and nothing/);
    expect(why({ ...idle, cause: "shutdown_deadline" }, now)).toMatch(/^its shutdown deadline is \d\d:10/);
  });

  it("warns in time, and only then", () => {
    expect(isAboutToSleep(idle, now)).toBe(false);
    expect(isAboutToSleep(idle, now + 540_000)).toBe(true);
    expect(isAboutToSleep({ ...idle, warns_at: undefined }, now)).toBe(false);
    expect(isAsleep({ state: "stopped", failure_code: "IDLE" })).toBe(true);
    expect(isAsleep({ state: "stopped", failure_code: undefined })).toBe(false);
  });

  it("has a deadline in the time of whoever sets it", () => {
    expect(fromLocalField(toLocalField("2030-01-01T12:34:00.000Z"))).toBe("2030-01-01T12:34:00.000Z");
    expect([toLocalField(undefined), fromLocalField("")]).toEqual(["", ""]);
  });
});

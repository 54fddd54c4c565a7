import { describe, expect, it } from "vitest";

import type { LogLine } from "@/api/types";

import { LogBuffer } from "./log-buffer";
import { countMatches, matches, splitAtHits, toPlainLog } from "./log-filter";

const base: LogLine = { id: "1", deployment_id: "d", time: "2026-03-01T12:00:00.000Z", stream: "out", text: "\u001b[32mReady\u001b[0m in 2 s" };

describe("log filter", () => {
  it("searches what the reader sees, whatever the case", () => {
    expect(matches(base, { search: "ready IN", stream: "all" })).toBe(true);
    expect(matches(base, { search: "[32m", stream: "all" })).toBe(false);
  });

  it("filters by stream and counts", () => {
    const buffer = new LogBuffer();
    const log = buffer.append([base, { ...base, id: "2", stream: "err" }]);
    expect(countMatches(log, { search: "", stream: "err" })).toBe(1);
    expect(countMatches(log, { search: "", stream: "all" })).toBe(2);
  });

  it("cuts at hits", () => {
    expect(splitAtHits("GET /get", "get")).toEqual(["", "GET", " /", "get", ""]);
    expect(splitAtHits("GET", "")).toEqual(["GET"]);
  });

  it("writes lines for a file", () => {
    expect(toPlainLog([base])).toBe("2026-03-01T12:00:00.000Z out Ready in 2 s\n");
  });
});

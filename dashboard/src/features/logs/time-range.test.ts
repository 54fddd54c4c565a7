import { describe, expect, it } from "vitest";

import { allTime, toBounds } from "./time-range";

const now = Date.parse("2026-03-01T12:00:00Z");

describe("toBounds", () => {
  it("counts presets back from now", () => {
    expect(toBounds(allTime, now)).toEqual({});
    expect(toBounds({ ...allTime, preset: "1h" }, now)).toEqual({ since: "2026-03-01T11:00:00.000Z" });
  });

  it("takes times as the reader's clock shows them, and leaves out what is no time yet", () => {
    const from = "2026-03-01T10:00";
    expect(toBounds({ preset: "custom", from, to: "" }, now)).toEqual({ since: new Date(from).toISOString(), until: undefined });
  });
});

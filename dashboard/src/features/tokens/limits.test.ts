import { describe, expect, it } from "vitest";

import { choicesOf, limitsOf, limitWords, NO_LIMITS, parsePerMinute, problemsOf, toggleModel } from "./limits";

describe("requests a minute", () => {
  it.each([
    ["1", 1],
    [" 30 ", 30],
    ["100000", 100_000],
  ])("%j → %i", (text, count) => expect(parsePerMinute(text)).toBe(count));

  it.each(["", "0", "-1", "1.5", "1e3", "0x10", "1,000", "100001", "often"])("refuse %j", (text) => expect(parsePerMinute(text)).toBeUndefined());
});

describe("problems", () => {
  it("are none where nothing is limited", () => {
    expect(problemsOf(NO_LIMITS)).toEqual({});
    expect(problemsOf({ ...NO_LIMITS, perMinute: " ", credits: " " })).toEqual({});
    expect(problemsOf({ models: ["smollm2"], perMinute: "30", credits: "2.5" })).toEqual({});
  });

  it("are told of each number", () => {
    expect(Object.keys(problemsOf({ ...NO_LIMITS, perMinute: "0", credits: "0.0000001" }))).toEqual(["perMinute", "credits"]);
    expect(problemsOf({ ...NO_LIMITS, credits: "0" }).credits).toContain("above 0");
  });
});

describe("what is sent", () => {
  it("is nothing where nothing is limited", () => {
    expect(limitsOf(NO_LIMITS)).toBeUndefined();
    expect(limitsOf({ ...NO_LIMITS, perMinute: " ", credits: " " })).toBeUndefined();
  });

  it("is only what is limited", () => {
    expect(limitsOf({ ...NO_LIMITS, models: ["smollm2"] })).toEqual({ models: ["smollm2"] });
    expect(limitsOf({ ...NO_LIMITS, perMinute: "30" })).toEqual({ requests_per_minute: 30 });
    expect(limitsOf({ models: ["a", "b"], perMinute: " 30 ", credits: "5" })).toEqual({ models: ["a", "b"], requests_per_minute: 30, credits: 5_000_000 });
  });

  it.each([
    ["2.5", 2_500_000],
    ["0.000001", 1],
    ["4.35", 4_350_000],
    ["1.005", 1_005_000],
    ["1000000000", 1_000_000_000_000_000],
    ["900000000.000001", 900_000_000_000_001],
  ])("has %s credits exactly", (credits, amount) => expect(limitsOf({ ...NO_LIMITS, credits })).toEqual({ credits: amount }));
});

describe("models", () => {
  it("are chosen and given up", () => {
    expect(toggleModel([], "a", true)).toEqual(["a"]);
    expect(toggleModel(["a", "b"], "b", true)).toEqual(["a", "b"]);
    expect(toggleModel(["a", "b"], "a", false)).toEqual(["b"]);
  });

  it("stay among the choices when nobody serves them any more", () => {
    expect(choicesOf(["a", "b"], ["c", "b"])).toEqual([
      { model: "a", gone: false },
      { model: "b", gone: false },
      { model: "c", gone: true },
    ]);
    expect(choicesOf([], [])).toEqual([]);
  });
});

describe("the words of the list", () => {
  it.each([
    [{}, ""],
    [{ models: null, requests_per_minute: null, credits: null }, ""],
    [{ models: ["smollm2"], requests_per_minute: 30, credits: 5_000_000 }, "smollm2 · 30 a minute · 5 credits"],
    [{ models: ["a", "b", "c"] }, "a, b, c"],
    [{ models: ["a", "b", "c", "d"] }, "a, b and 2 more"],
    [{ requests_per_minute: 100_000 }, "100,000 a minute"],
    [{ credits: 1_000_000 }, "1 credit"],
    [{ credits: 2_500_000 }, "2.5 credits"],
    [{ credits: 100_000_000 }, "100 credits"],
    [{ credits: 420 }, "0.00042 credits"],
    [{ credits: 1_000_000_000_000_000 }, "1,000,000,000 credits"],
  ])("%j → %j", (limits, words) => expect(limitWords(limits)).toBe(words));
});

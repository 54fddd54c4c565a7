import { describe, expect, it } from "vitest";

import { formatCredits, formatMovement, parseCredits, plainCredits } from "./credits";

describe("formatCredits", () => {
  it.each([
    [0, "0.00"],
    [1_250_000, "1.25"],
    [420, "0.000420"],
    [1, "0.000001"],
    [10_000, "0.01"],
    [999_999, "0.999999"],
    [1_000_000, "1.00"],
    [12_345_678_901, "12,345.678901"],
    [-420, "-0.000420"],
    [-3_500_000, "-3.50"],
  ])("%i → %s", (amount, text) => expect(formatCredits(amount)).toBe(text));

  it("has a sign where something moved", () => {
    expect(formatMovement(500_000)).toBe("+0.50");
    expect(formatMovement(-500_000)).toBe("-0.50");
    expect(formatMovement(0)).toBe("0.00");
  });

  it("has all digits for other programs", () => {
    expect(plainCredits(12_345_000_000)).toBe("12345.000000");
    expect(plainCredits(-420)).toBe("-0.000420");
  });
});

describe("parseCredits", () => {
  it.each([
    ["5", 5_000_000],
    [" 1.25 ", 1_250_000],
    ["0.000420", 420],
    ["0.1", 100_000],
    ["0", 0],
  ])("%s → %i", (text, amount) => expect(parseCredits(text)).toBe(amount));

  it.each(["", "-1", "1,5", ".5", "1.", "0.0000001", "1e3", "99999999999999999"])("refuses %j", (text) => expect(parseCredits(text)).toBeUndefined());

  it("reads what it writes", () => {
    for (const amount of [0, 1, 420, 1_250_000, 7_000_001]) expect(parseCredits(formatCredits(amount))).toBe(amount);
  });
});

import { describe, expect, it } from "vitest";

import type { HostedModel } from "@/api/types";

import { hasModel, modelsOf, newRow, parseContext, parsePrice, rowProblems, rowsOf, saysTheSame, toggleModel } from "./model-rows";

const models: HostedModel[] = [
  { name: "gpt-5", context: 400_000, input_price: 1, output_price: 10 },
  { name: "gpt-5-nano", context: 400_000, input_price: 0, output_price: 1 },
];

describe("a context", () => {
  it.each([
    ["256", 256],
    [" 128000 ", 128_000],
    ["16777216", 16_777_216],
  ])("%j → %i", (text, count) => expect(parseContext(text)).toBe(count));

  it.each(["", "255", "16777217", "128,000", "128k", "1e5", "-1", "4096.0"])("is not %j", (text) => expect(parseContext(text)).toBeUndefined());
});

describe("a price", () => {
  it.each([
    ["0", 0],
    [" 3 ", 3],
    ["15.00", 15],
    ["4294967295", 4_294_967_295],
  ])("%j → %i", (text, price) => expect(parsePrice(text)).toBe(price));

  it.each(["", "2.5", "0.15", "3.", ".0", "-1", "1,000", "1e3", "4294967296", "free"])("is not %j, which is no whole microcredit a token", (text) =>
    expect(parsePrice(text)).toBeUndefined(),
  );
});

describe("rows", () => {
  it("say again what they were made of", () => {
    const rows = rowsOf(models);
    expect(rows.map(({ context, input, output }) => [context, input, output])).toEqual([
      ["400000", "1", "10"],
      ["400000", "0", "1"],
    ]);
    expect(modelsOf(rows)).toEqual(models);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(2);
  });

  it("are the same until one says something else", () => {
    const [first = newRow(), ...others] = rowsOf(models);
    expect(saysTheSame([first, ...others], models)).toBe(true);
    expect(saysTheSame([{ ...first, name: " gpt-5 ", input: "1.0" }, ...others], models)).toBe(true);
    expect(saysTheSame([{ ...first, output: "11" }, ...others], models)).toBe(false);
    expect(saysTheSame(others, models)).toBe(false);
    expect(saysTheSame([first, ...others, newRow()], models)).toBe(false);
  });

  it("say what is wrong with each, and nothing of those that are right", () => {
    const [first = newRow()] = rowsOf(models);
    const blank = newRow();
    const twice = { ...first, id: -1, context: "1" };
    const problems = rowProblems([first, blank, twice]);
    expect([...problems.keys()]).toEqual([blank.id, twice.id]);
    expect(Object.keys(problems.get(blank.id) ?? {})).toEqual(["name", "context", "input", "output"]);
    expect(problems.get(twice.id)).toEqual({ name: "This model is there twice.", context: "A whole number from 256 to 16777216." });
  });
});

describe("models that the company has", () => {
  it("take the place of a row that nobody has filled in", () => {
    const rows = toggleModel([newRow()], "gpt-5", true);
    expect(rows).toMatchObject([{ name: "gpt-5", context: "", input: "", output: "" }]);
    expect(toggleModel(rows, "gpt-5-nano", true).map(({ name }) => name)).toEqual(["gpt-5", "gpt-5-nano"]);
  });

  it("keep what was filled in, and are there once", () => {
    const begun = { ...newRow(), context: "4096" };
    expect(toggleModel([begun], "gpt-5", true)).toHaveLength(2);
    expect(toggleModel(rowsOf(models), "gpt-5", true)).toHaveLength(2);
  });

  it("are given up", () => {
    const rows = toggleModel(rowsOf(models), "gpt-5", false);
    expect(hasModel(rows, "gpt-5")).toBe(false);
    expect(hasModel(rows, "gpt-5-nano")).toBe(true);
  });
});

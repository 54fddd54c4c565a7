import { describe, expect, it } from "vitest";

import { afterSave, blankRow, changesOf, fromStored, isChanged, mergePasted, problemsOf, toInputs, toUpdates, withSecret } from "./env-draft";

const stored = [
  { key: "DATABASE_URL", is_secret: true },
  { key: "EMPTY", is_secret: false, value: "" },
];

describe("env draft", () => {
  it("sends what was not touched without a value", () => {
    const rows = fromStored(stored);
    expect(toUpdates(rows)).toEqual([{ key: "DATABASE_URL" }, { key: "EMPTY" }]);
    expect(isChanged(changesOf(rows, stored))).toBe(false);
  });

  it("puts pasted variables over those with the same name and drops blank rows", () => {
    const rows = mergePasted([...fromStored(stored), blankRow()], [
      { key: "EMPTY", value: "x" },
      { key: "NEW", value: "" },
    ]);
    expect(toUpdates(rows)).toEqual([{ key: "DATABASE_URL" }, { key: "EMPTY", value: "x" }, { key: "NEW", value: "" }]);
    expect(changesOf(rows, stored)).toEqual({ added: 1, replaced: 1, removed: 0 });
  });

  it("asks for the value of a secret that is to be shown, and hides a plain one without", () => {
    const rows = fromStored(stored);
    const turned = rows.map((row) => withSecret(row, !row.secret));
    expect(toUpdates(turned)).toEqual([
      { key: "DATABASE_URL", value: "", is_secret: false },
      { key: "EMPTY", is_secret: true },
    ]);
    expect(changesOf(turned, stored)).toEqual({ added: 0, replaced: 2, removed: 0 });
    expect(afterSave(turned)).toEqual([
      { key: "DATABASE_URL", is_secret: false, value: "" },
      { key: "EMPTY", is_secret: true },
    ]);
    expect(toUpdates([{ ...withSecret(blankRow(), false), key: "A", value: "1" }])).toEqual([{ key: "A", value: "1", is_secret: false }]);
  });

  it("counts what was removed", () => {
    expect(changesOf(fromStored(stored).slice(1), stored)).toEqual({ added: 0, replaced: 0, removed: 1 });
  });

  it("finds bad, missing and double names", () => {
    const rows = [
      { ...blankRow(), key: "1A", value: "" },
      { ...blankRow(), value: "lost" },
      { ...blankRow(), key: "A" },
      { ...blankRow(), key: "A " },
      blankRow(),
    ];
    const problems = problemsOf(rows);
    expect(rows.map((row) => problems.has(row.id))).toEqual([true, true, false, true, false]);
  });

  it("gives a new project its variables", () => {
    expect(toInputs([{ ...blankRow(), key: " A ", value: "1" }, blankRow()])).toEqual([{ key: "A", value: "1" }]);
  });
});

import { expect, it } from "vitest";

import { codeFromHash, safeNext } from "./setup-code";

it("takes the code from the fragment", () => {
  expect(codeFromHash("#code=AB-12")).toBe("AB-12");
  expect(codeFromHash("#x=1&code=a%20b")).toBe("a b");
  expect(codeFromHash("")).toBe("");
});

it("does not leave the dashboard after signing in", () => {
  expect(safeNext("/projects/1?x=2")).toBe("/projects/1?x=2");
  for (const bad of [null, "", "//evil.example", "/\\evil.example", "https://evil.example", "/login"]) expect(safeNext(bad)).toBe("/");
});

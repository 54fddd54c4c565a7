import { expect, it } from "vitest";

import { megabytes, megabytesProblem } from "./amount";

it("reads whole megabytes, and nothing as everything", () => {
  expect([megabytes(""), megabytes(" 2 "), megabytes("x")]).toEqual([undefined, 2 * 1024 ** 2, undefined]);
});

it("says when it is no amount", () => {
  expect(["", "500", " 1 "].map(megabytesProblem)).toEqual([undefined, undefined, undefined]);
  for (const odd of ["0", "-1", "1.5", "x", "99999999999"]) expect(megabytesProblem(odd)).toBeDefined();
});

import { expect, it } from "vitest";

import { formatLabels, labelsProblem, parseLabels } from "./labels";

it("reads labels as people write them, and writes them back", () => {
  expect(parseLabels(" region=eu,gpu  disk=ssd ")).toEqual({ region: "eu", gpu: "", disk: "ssd" });
  expect(parseLabels("")).toEqual({});
  expect(formatLabels({ region: "eu", gpu: "" })).toBe("gpu, region=eu");
  expect(formatLabels(undefined)).toBe("");
});

it("names the one that is none", () => {
  expect(labelsProblem("region=eu, example.com/gpu, a=")).toBeUndefined();
  for (const odd of ["=x", "a=b=c", "ä", "-a", `${"a".repeat(64)}=b`]) expect(labelsProblem(`gpu ${odd}`)).toContain(odd);
});

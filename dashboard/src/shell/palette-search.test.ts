import { describe, expect, it } from "vitest";

import { score, search } from "./palette-search";

describe("palette search", () => {
  it("prefers the beginning, then beginnings of words", () => {
    expect(score("node", "no")).toBeGreaterThan(score("hello-node", "no"));
    expect(score("hello-node", "no")).toBeGreaterThan(score("piano", "no"));
    expect(score("hello", "x")).toBe(0);
  });

  it("needs every word and knows initials", () => {
    const items = [{ label: "Redeploy hello-node" }, { label: "hello-node" }, { label: "Servers", keywords: "nodes machines" }];
    expect(search(items, "hello redep").map((item) => item.label)).toEqual(["Redeploy hello-node"]);
    expect(search(items, "hn").map((item) => item.label)).toEqual(["hello-node"]);
    expect(search(items, "machines").map((item) => item.label)).toEqual(["Servers"]);
    expect(search(items, " ")).toHaveLength(3);
  });
});

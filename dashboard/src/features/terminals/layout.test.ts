import { describe, expect, it } from "vitest";

import { emptyLayout, hide, neighbour, parseLayout, reconcile, show, showBeside } from "./layout";

describe("the layout of terminals", () => {
  it("shows one in the place of another, or beside it", () => {
    const one = show(emptyLayout, "a");
    expect(one).toEqual({ panes: ["a"], active: "a" });
    expect(show(one, "b")).toEqual({ panes: ["b"], active: "b" });
    const two = showBeside(one, "b");
    expect(two).toEqual({ panes: ["a", "b"], active: "b" });
    expect(show(two, "a")).toEqual({ panes: ["a", "b"], active: "a" });
    const three = showBeside({ ...two, active: "a" }, "c");
    expect(three).toEqual({ panes: ["a", "c", "b"], active: "c" });
    expect(showBeside(three, "d")).toEqual({ panes: ["a", "d", "b"], active: "d" });
  });

  it("goes on with what is left", () => {
    expect(hide({ panes: ["a", "b"], active: "a" }, "a")).toEqual({ panes: ["b"], active: "b" });
    expect(hide({ panes: ["a", "b"], active: "b" }, "b")).toEqual({ panes: ["a"], active: "a" });
    const layout = { panes: ["a", "b"], active: "b" };
    expect(reconcile(layout, ["a", "b", "c"])).toBe(layout);
    expect(reconcile(layout, ["c"])).toEqual({ panes: ["c"], active: "c" });
    expect(reconcile(layout, [])).toEqual(emptyLayout);
    expect(reconcile(emptyLayout, [])).toBe(emptyLayout);
  });

  it("goes around", () => {
    expect(neighbour(["a", "b", "c"], "c", 1)).toBe("a");
    expect(neighbour(["a", "b", "c"], "a", -1)).toBe("c");
    expect(neighbour([], "a", 1)).toBeUndefined();
  });

  it("reads what was kept, and nothing else", () => {
    expect(parseLayout('{"panes":["a",7,"b"],"active":"b"}')).toEqual({ panes: ["a", "b"], active: "b" });
    expect(parseLayout('{"panes":["a"],"active":"x"}')).toEqual({ panes: ["a"], active: "a" });
    expect(parseLayout("null")).toEqual(emptyLayout);
    expect(parseLayout(null)).toEqual(emptyLayout);
  });
});

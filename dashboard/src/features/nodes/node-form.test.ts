import { expect, it } from "vitest";

import { fromNode, problemsOf, toUpdate } from "./node-form";

const node = { name: "berlin", labels: { region: "eu", gpu: "" }, access: "owner" as const };

it("sends what was changed only", () => {
  const form = fromNode(node);
  expect(form.labels).toBe("gpu, region=eu");
  expect(toUpdate(form, node)).toEqual({});
  // The same in another order.
  expect(toUpdate({ ...form, labels: "region=eu gpu" }, node)).toEqual({});
  expect(toUpdate({ ...form, name: " paris ", labels: "", access: "everybody" }, node)).toEqual({ name: "paris", labels: {}, access: "everybody" });
  expect(toUpdate({ ...form, grantedTo: "bob, alice bob" }, node)).toEqual({ granted_to: ["alice", "bob"] });
  expect(toUpdate(fromNode({ ...node, granted_to: ["alice"] }), { ...node, granted_to: ["alice"] })).toEqual({});
});

it("says what is wrong before it is sent", () => {
  expect(problemsOf(fromNode(node))).toEqual({});
  expect(Object.keys(problemsOf({ name: " ", labels: "=x", access: "owner", grantedTo: "" }))).toEqual(["name", "labels"]);
});

import { expect, it } from "vitest";

import { subjectOf, valuesOf } from "./release-change";

it("says what a change is about", () => {
  expect(subjectOf({ what: "web", change: "changed" })).toBe("Web process");
  expect(subjectOf({ what: "worker.queue", change: "added" })).toBe("Worker queue");
  expect(subjectOf({ what: "env.A_B", change: "removed" })).toBe("Variable A_B");
  expect(subjectOf({ what: "limits.memory_mb", change: "changed" })).toBe("Memory (MB)");
  expect(subjectOf({ what: "something.new", change: "changed" })).toBe("something.new");
  expect(subjectOf({ what: "new", change: "changed" })).toBe("new");
});

it("says from what to what, and never makes up a value", () => {
  expect(valuesOf({ what: "web", change: "changed", from: "a", to: "b" })).toBe("a → b");
  expect(valuesOf({ what: "web", change: "added", to: "b" })).toBe("b");
  expect(valuesOf({ what: "web", change: "removed", from: "a" })).toBe("a");
  expect(valuesOf({ what: "env.A", change: "changed" })).toBe("has another value");
  expect(valuesOf({ what: "env.A", change: "added" })).toBe("is there again");
});

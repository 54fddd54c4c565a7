import { describe, expect, it } from "vitest";

import { branchProblem, emptyForm, toCreate } from "./workspace-form";

describe("the form of a new workspace", () => {
  it("sends what was said only", () => {
    expect(toCreate(emptyForm("p1"))).toEqual({ project_id: "p1" });
    expect(toCreate({ ...emptyForm("p1"), branch: " main ", new_branch: "fix/it", node_id: "n1", idle_timeout_seconds: 3600 })).toEqual({
      project_id: "p1",
      branch: "main",
      new_branch: "fix/it",
      node_id: "n1",
      idle_timeout_seconds: 3600,
    });
  });

  it("knows what git refuses", () => {
    for (const good of ["", "main", "feature/login-2", "v1.2"]) expect(branchProblem(good)).toBeUndefined();
    for (const bad of ["a b", "a..b", "-x", "/x", "x/", "x.lock", "a~1", "x."]) expect(branchProblem(bad)).toBeDefined();
  });
});

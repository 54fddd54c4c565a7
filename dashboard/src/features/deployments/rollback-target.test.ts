import { expect, it } from "vitest";

import type { Deployment } from "@/api/types";

import { canRollBackTo } from "./rollback-target";

const retired: Deployment = {
  id: "dep_1",
  project_id: "prj_1",
  number: 1,
  state: "retired",
  trigger: "manual",
  release_id: "rel_1",
  release_kept: true,
  created_at: "2026-03-01T12:00:00Z",
};

it("offers kept releases that were live, but not the one that is", () => {
  expect(canRollBackTo(retired)).toBe(true);
  expect(canRollBackTo({ ...retired, release_kept: false })).toBe(false);
  expect(canRollBackTo({ ...retired, state: "live" })).toBe(false);
  expect(canRollBackTo({ ...retired, state: "failed" })).toBe(false);
  expect(canRollBackTo(retired, { ...retired, id: "dep_3", number: 3, trigger: "rollback", state: "live" })).toBe(false);
  expect(canRollBackTo(retired, { ...retired, id: "dep_2", release_id: "rel_2", state: "live" })).toBe(true);
});

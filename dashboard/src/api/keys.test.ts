import { expect, it } from "vitest";

import { keys, keysTouchedBy } from "./keys";

it("tells what an event makes stale", () => {
  expect(keysTouchedBy({ position: 1, kind: "project.updated", project_id: "prj_1" })).toEqual([keys.projects, keys.projectDetails, keys.scheduleLists, keys.releaseLists]);
  expect(keysTouchedBy({ position: 2, kind: "deployment.updated", project_id: "prj_1", deployment_id: "dep_1" })).toContainEqual(keys.deployment("dep_1"));
  expect(keysTouchedBy({ position: 2, kind: "deployment.updated", project_id: "prj_1" })).toContainEqual(keys.activityAll);
  expect(keysTouchedBy({ position: 2, kind: "workspace.updated", project_id: "prj_1" })).toEqual([keys.workspacesAll, keys.activityAll]);
  expect(keysTouchedBy({ position: 3, kind: "notification.updated" })).toEqual([["notifications"]]);
  expect(keysTouchedBy({ position: 3, kind: "run.updated", project_id: "prj_1" })).toEqual([keys.runs]);
  expect(keysTouchedBy({ position: 3, kind: "something.new" })).toEqual([]);
});

it("never touches the environment, which somebody may be editing", () => {
  const touched = keysTouchedBy({ position: 1, kind: "project.updated", project_id: "prj_1" });
  const env = keys.env("prj_1");
  expect(touched.some((key) => key.every((part, index) => part === env[index]))).toBe(false);
});

import { describe, expect, it } from "vitest";

import type { Deployment } from "@/api/types";

import { stepsOf } from "./steps";

function deployment(change: Partial<Deployment>): Deployment {
  return {
    id: "dep_1",
    project_id: "prj_1",
    number: 1,
    state: "building",
    trigger: "manual",
    release_kept: false,
    created_at: "2026-03-01T12:00:00Z",
    ...change,
  };
}

const statuses = (change: Partial<Deployment>) => stepsOf(deployment(change)).map((step) => step.status);

describe("stepsOf", () => {
  it("follows a running deployment", () => {
    expect(statuses({ step: "build" })).toEqual(["done", "done", "running", "waiting", "waiting"]);
    expect(statuses({ state: "starting", step: "probe" })).toEqual(["done", "done", "done", "done", "running"]);
  });

  it("tells of waiting only when there was some", () => {
    expect(statuses({ step: "wait" })).toEqual(["running", "waiting", "waiting", "waiting", "waiting", "waiting"]);
    const steps = [{ name: "wait", started_at: "2026-03-01T12:00:00Z", finished_at: "2026-03-01T12:00:30Z" }];
    const fetching = stepsOf(deployment({ step: "fetch", steps }));
    expect(fetching.slice(0, 2).map(({ name, status, took }) => [name, status, took])).toEqual([
      ["wait", "done", 30_000],
      ["fetch", "running", undefined],
    ]);
  });

  it("does without a step", () => {
    expect(statuses({ state: "queued" })).toEqual(Array(5).fill("waiting"));
    expect(statuses({})).toEqual(["running", "waiting", "waiting", "waiting", "waiting"]);
    expect(statuses({ state: "starting" })[3]).toBe("running");
  });

  it("marks where it failed or was stopped", () => {
    expect(statuses({ state: "failed", step: "install" })).toEqual(["done", "failed", "waiting", "waiting", "waiting"]);
    expect(statuses({ state: "failed", failure_code: "BUILD_FAILED" })[2]).toBe("failed");
    expect(statuses({ state: "failed", failure_code: "NODE_GONE" })).toEqual(Array(5).fill("waiting"));
    expect(statuses({ state: "cancelled", step: "fetch" })[0]).toBe("stopped");
  });

  it("leaves out what the plan does not have", () => {
    const plan = { kind: "static", reasons: [], build_command: "make" };
    expect(statuses({ state: "live", plan })).toEqual(["done", "skipped", "done", "done", "done"]);
  });

  it("has no build in a rollback", () => {
    expect(stepsOf(deployment({ trigger: "rollback", state: "starting", step: "start" })).map((step) => step.name)).toEqual(["start", "probe"]);
  });
});

describe("times of steps", () => {
  const steps = [
    { name: "fetch", started_at: "2026-03-01T12:00:00.500Z", finished_at: "2026-03-01T12:00:02.500Z" },
    { name: "build", started_at: "2026-03-01T12:00:02.500Z" },
  ];

  it("are those that the server kept", () => {
    const [fetch, install, build, start] = stepsOf(deployment({ step: "build", steps }));
    expect(fetch).toMatchObject({ status: "done", took: 2000 });
    expect(build).toMatchObject({ status: "running", since: Date.parse("2026-03-01T12:00:02.500Z") });
    expect(build?.took).toBeUndefined();
    // Over before anybody looked, and not begun yet.
    expect(install?.since).toBeUndefined();
    expect(start?.since).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";

import type { Deployment } from "@/api/types";

import { StepClock } from "./step-clock";
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

describe("StepClock", () => {
  const start = Date.parse("2026-03-01T12:00:00Z");

  it("times each step that it sees begin and end", () => {
    const clock = new StepClock();
    const started_at = "2026-03-01T12:00:00Z";
    clock.observe(deployment({ step: "fetch", started_at }), start + 500);
    clock.observe(deployment({ step: "install", started_at }), start + 2000);
    clock.observe(deployment({ step: "install", started_at }), start + 3000);
    clock.observe(deployment({ state: "failed", step: "install" }), start + 9000);
    clock.observe(deployment({ state: "failed", step: "install" }), start + 20_000);
    expect(clock.timeOf("dep_1", "fetch")).toMatchObject({ took: 2000 });
    expect(clock.timeOf("dep_1", "install")).toMatchObject({ since: start + 2000, took: 7000 });
  });

  it("does not invent the beginning of a step it came late for", () => {
    const clock = new StepClock();
    clock.observe(deployment({ step: "build", started_at: "2026-03-01T12:00:00Z" }), start + 60_000);
    expect(clock.timeOf("dep_1", "build").since).toBeUndefined();
    clock.observe(deployment({ state: "starting", step: "start" }), start + 70_000);
    expect(clock.timeOf("dep_1", "build").took).toBeUndefined();
    expect(clock.timeOf("dep_1", "start").since).toBe(start + 70_000);
  });
});

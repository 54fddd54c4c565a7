import { describe, expect, it } from "vitest";

import { bootSteps, branchOf, canRebuild, canRestart, canStop, idleLabel } from "./words";

describe("words of workspaces", () => {
  it("tell which steps are done and which are to come", () => {
    const steps = [
      { name: "prepare", state: "succeeded" as const, started_at: "2026-01-01T00:00:00.000Z", finished_at: "2026-01-01T00:00:01.500Z" },
      { name: "sandbox", state: "running" as const, started_at: "2026-01-01T00:00:01.500Z" },
    ];
    const creating = bootSteps({ state: "creating", steps });
    expect(creating.map((step) => `${step.name} ${step.status}`)).toEqual(["prepare succeeded", "sandbox running", "clone waiting", "files waiting", "dotfiles waiting"]);
    expect(creating[0]?.took).toBe(1500);
    expect(bootSteps({ state: "recovery", steps })).toHaveLength(2);
  });

  it("say what can be asked of one", () => {
    expect([canStop("creating"), canStop("recovery"), canStop("stopped")]).toEqual([true, true, false]);
    expect([canRestart("running"), canRestart("stopped"), canRestart("deleting")]).toEqual([false, true, false]);
    expect([canRebuild("creating"), canRebuild("running"), canRebuild("error")]).toEqual([false, true, true]);
  });

  it("name branch and idle time", () => {
    expect(branchOf({ branch: "main", new_branch: "fix" })).toBe("fix");
    expect(branchOf({})).toBe("default branch");
    expect([idleLabel(0), idleLabel(3600), idleLabel(420)]).toEqual(["Never", "After 1 hour", "After 7 minutes"]);
  });
});

import { describe, expect, it } from "vitest";

import { tell } from "./words";

describe("what happened, in words", () => {
  it("names a deployment, with its commit or why it failed", () => {
    const commit = { sha: "abc", message: "Add a cart\n\nAt last." };
    expect(tell({ event_type: "deployment.live", payload: { number: 12, commit } })).toEqual({ subject: "Deployment #12", verb: "went live", more: "Add a cart" });
    expect(tell({ event_type: "deployment.failed", payload: { number: 3, commit, reason: "the build ended with 1" } }).more).toBe("The build ended with 1.");
  });

  it("names a workspace", () => {
    expect(tell({ event_type: "workspace.stopped", payload: { name: "fix" } })).toEqual({ subject: "Workspace fix", verb: "was stopped", more: undefined });
  });

  it("says what it can of an event that says little", () => {
    expect(tell({ event_type: "deployment.live", payload: null }).subject).toBe("Deployment");
  });
});

import type { StepState, Workspace, WorkspaceState } from "@/api/types";

/** Whether terminals can be opened. */
export function isUsable(state: WorkspaceState): boolean {
  return state === "running" || state === "recovery";
}

/** Whether it goes on to another state by itself. */
export function isMoving(state: WorkspaceState): boolean {
  return state === "creating" || state === "stopping" || state === "deleting";
}

export function canStop(state: WorkspaceState): boolean {
  return state === "creating" || isUsable(state);
}

/** After a failure that is another try, from the step that failed. */
export function canRestart(state: WorkspaceState): boolean {
  return state === "stopped" || state === "error" || state === "recovery";
}

export function canRebuild(state: WorkspaceState): boolean {
  return isUsable(state) || state === "error" || state === "stopped";
}

export function pathOf(workspace: Pick<Workspace, "id">): string {
  return `/workspaces/${workspace.id}`;
}

/** The branch that is worked on. */
export function branchOf(workspace: Pick<Workspace, "branch" | "new_branch">): string {
  return workspace.new_branch ?? workspace.branch ?? "default branch";
}

export type BootStatus = StepState | "waiting";

export interface BootStep {
  name: string;
  label: string;
  status: BootStatus;
  since?: number;
  took?: number;
  message?: string;
}

const labels: Record<string, string> = {
  prepare: "Prepare the machine",
  sandbox: "Start the sandbox",
  clone: "Clone the repository",
  files: "Write variables and files",
  dotfiles: "Install dotfiles",
};

/** The steps of a start, also those that are still to come. */
export function bootSteps(workspace: Pick<Workspace, "state" | "steps">): BootStep[] {
  const begun = workspace.steps.map<BootStep>((step) => {
    const since = Date.parse(step.started_at);
    return {
      name: step.name,
      label: labels[step.name] ?? step.name,
      status: step.state,
      since,
      took: step.finished_at ? Date.parse(step.finished_at) - since : undefined,
      message: step.message ?? undefined,
    };
  });
  if (workspace.state !== "creating") return begun;
  const names = new Set(begun.map((step) => step.name));
  const coming = Object.entries(labels).filter(([name]) => !names.has(name));
  return [...begun, ...coming.map<BootStep>(([name, label]) => ({ name, label, status: "waiting" }))];
}

export const idleChoices: readonly { seconds: number; label: string }[] = [
  { seconds: 0, label: "Never" },
  { seconds: 1800, label: "After 30 minutes" },
  { seconds: 3600, label: "After 1 hour" },
  { seconds: 4 * 3600, label: "After 4 hours" },
  { seconds: 8 * 3600, label: "After 8 hours" },
  { seconds: 24 * 3600, label: "After 24 hours" },
];

/** "after 1 hour", also of what cannot be chosen here. */
export function idleLabel(seconds: number): string {
  const choice = idleChoices.find((each) => each.seconds === seconds);
  if (!choice && seconds < 60) return `After ${seconds} seconds`;
  return choice?.label ?? `After ${Math.round(seconds / 60)} minutes`;
}

import type { Deployment, DeploymentState } from "@/api/types";

export type StepName = "wait" | "fetch" | "install" | "build" | "start" | "probe";
export type StepStatus = "done" | "running" | "failed" | "stopped" | "waiting" | "skipped";

export interface Step {
  name: StepName;
  label: string;
  status: StepStatus;
  /** When it began, once it has. */
  since?: number;
  /** How long it took, once it is over. */
  took?: number;
}

const labels: Record<StepName, string> = {
  wait: "Wait",
  fetch: "Fetch",
  install: "Install",
  build: "Build",
  start: "Start",
  probe: "Probe",
};

const all: readonly StepName[] = ["fetch", "install", "build", "start", "probe"];
/** One that had to wait for its turn, or for memory. */
const withWait: readonly StepName[] = ["wait", ...all];
/** A rollback starts a release that exists already. */
const withoutBuild: readonly StepName[] = ["start", "probe"];

export function isSettled(state: DeploymentState): boolean {
  return state !== "queued" && state !== "building" && state !== "starting";
}

function isStep(name: string | null | undefined): name is StepName {
  return withWait.some((step) => step === name);
}

function stepNames(deployment: Pick<Deployment, "trigger" | "step" | "steps">): readonly StepName[] {
  if (deployment.trigger === "rollback") return withoutBuild;
  return deployment.step === "wait" || deployment.steps?.some((step) => step.name === "wait") ? withWait : all;
}

function skips(deployment: Deployment, name: StepName): boolean {
  if (!deployment.plan) return false;
  if (name === "install") return !deployment.plan.install_command;
  if (name === "build") return !deployment.plan.build_command;
  return false;
}

/** Where it is, or where it ended; -1 when nobody can say. */
function position(deployment: Deployment, names: readonly StepName[]): number {
  if (isStep(deployment.step)) return names.indexOf(deployment.step);
  if (deployment.state === "building") return 0;
  if (deployment.state === "starting") return names.indexOf("start");
  const code = deployment.failure_code?.toLowerCase() ?? "";
  return names.findIndex((name) => code.includes(name));
}

function timesOf(deployment: Deployment, name: StepName): Pick<Step, "since" | "took"> {
  const step = deployment.steps?.find((each) => each.name === name);
  if (!step) return {};
  const since = Date.parse(step.started_at);
  return { since, took: step.finished_at ? Date.parse(step.finished_at) - since : undefined };
}

export function stepsOf(deployment: Deployment): Step[] {
  const names = stepNames(deployment);
  const at = position(deployment, names);
  return names.map((name, index) => {
    const status = statusOf(deployment.state, index, at);
    return { name, label: labels[name], status: status !== "running" && skips(deployment, name) ? "skipped" : status, ...timesOf(deployment, name) };
  });
}

function statusOf(state: DeploymentState, index: number, at: number): StepStatus {
  switch (state) {
    case "live":
    case "retired":
      return "done";
    case "queued":
    case "superseded":
      return "waiting";
    case "building":
    case "starting":
      return index < at ? "done" : index === at ? "running" : "waiting";
    case "failed":
      return index < at ? "done" : index === at ? "failed" : "waiting";
    case "cancelled":
      return index < at ? "done" : index === at ? "stopped" : "waiting";
  }
}

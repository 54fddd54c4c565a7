import { asSentence, isRecord } from "@/api/error";
import type { ActivityEvent, ActivityKind } from "@/api/types";

const kinds: Record<ActivityKind, string> = {
  "deployment.live": "Deployments that went live",
  "deployment.failed": "Deployments that failed",
  "workspace.created": "Workspaces created",
  "workspace.stopped": "Workspaces stopped",
  "workspace.restarted": "Workspaces started again",
  "workspace.rebuilt": "Workspaces rebuilt",
  "workspace.failed": "Workspaces that failed",
  "workspace.deleted": "Workspaces deleted",
};

/** What can be asked for, in words. */
export const kindChoices = Object.entries(kinds) as [ActivityKind, string][];

/** What happened, after the name of what it happened to. */
const verbs: Record<ActivityKind, string> = {
  "deployment.live": "went live",
  "deployment.failed": "failed",
  "workspace.created": "was created",
  "workspace.stopped": "was stopped",
  "workspace.restarted": "was started again",
  "workspace.rebuilt": "is rebuilt",
  "workspace.failed": "failed to start",
  "workspace.deleted": "was deleted",
};

export interface Told {
  /** "Deployment #12" */
  subject: string;
  /** "went live" */
  verb: string;
  /** Its commit, or why it failed. */
  more?: string;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value ? value : undefined;
}

/** An event as a sentence. What the server may not say is left out. */
export function tell({ event_type, payload }: Pick<ActivityEvent, "event_type"> & { payload: unknown }): Told {
  const about = isRecord(payload) ? payload : {};
  const commit = isRecord(about.commit) ? about.commit : {};
  const reason = text(about.reason);
  const isDeployment = event_type.startsWith("deployment.");
  const name = isDeployment ? typeof about.number === "number" && `#${about.number}` : text(about.name);
  const [message] = (text(commit.message) ?? "").split("\n");
  return {
    subject: `${isDeployment ? "Deployment" : "Workspace"}${name ? ` ${name}` : ""}`,
    verb: verbs[event_type] ?? event_type,
    more: (reason && asSentence(reason)) || message || undefined,
  };
}

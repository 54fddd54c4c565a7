import { GitCommitHorizontal, History, Upload } from "lucide-react";

import type { Deployment } from "@/api/types";
import { classes } from "@/ui/classes";

export function describe(deployment: Deployment): string {
  if (deployment.commit?.message) return deployment.commit.message;
  if (deployment.trigger === "upload") return "Uploaded files";
  if (deployment.trigger === "rollback") return "Rollback to a kept release";
  return deployment.branch ? `Newest commit of ${deployment.branch}` : "Newest commit";
}

/** What a deployment brings, in one line that is cut off rather than wrapped. */
export function CommitLine({ deployment, className }: { deployment: Deployment; className?: string }) {
  const { commit, trigger } = deployment;
  const Icon = trigger === "rollback" ? History : trigger === "upload" ? Upload : GitCommitHorizontal;
  const text = describe(deployment);
  return (
    <span className={classes("flex min-w-0 items-center gap-1.5", className)}>
      <Icon aria-hidden className="size-4 shrink-0 text-faint" />
      <span className="truncate" title={text}>
        {text}
      </span>
      {commit && <code className="shrink-0 font-mono text-xs text-faint">{commit.sha.slice(0, 7)}</code>}
    </span>
  );
}

/** Who asked for it; the commit may be somebody else's. */
export function whoDid(deployment: Deployment): string | undefined {
  return deployment.created_by || deployment.commit?.author || undefined;
}

import type { Deployment } from "@/api/types";

/** Whether going back to it changes anything and needs no build. */
export function canRollBackTo(deployment: Deployment, live?: Deployment | null): boolean {
  if (deployment.state !== "retired" || !deployment.release_kept) return false;
  // A rollback and what it went back to share one release.
  return !live?.release_id || live.release_id !== deployment.release_id;
}

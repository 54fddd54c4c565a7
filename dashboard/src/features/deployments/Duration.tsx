import type { Deployment } from "@/api/types";
import { formatDuration } from "@/format/time";
import { Elapsed } from "@/ui/RelativeTime";

import { isSettled } from "./steps";

/** How long it took, or has been taking. */
export function Duration({ deployment }: { deployment: Deployment }) {
  if (deployment.duration_ms != null) return <span className="tabular-nums">{formatDuration(deployment.duration_ms)}</span>;
  if (deployment.started_at && !isSettled(deployment.state)) return <Elapsed since={Date.parse(deployment.started_at)} className="tabular-nums" />;
  return <span className="text-faint">–</span>;
}

import type { Run } from "@/api/types";
import { formatDuration } from "@/format/time";
import { Elapsed } from "@/ui/RelativeTime";

/** How long it took, or has been taking; nothing for what never began. */
export function RunDuration({ run }: { run: Run }) {
  if (run.state === "skipped") return null;
  if (run.finished_at) return <span className="tabular-nums">{formatDuration(Date.parse(run.finished_at) - Date.parse(run.created_at))}</span>;
  return <Elapsed since={Date.parse(run.created_at)} className="tabular-nums" />;
}

import { useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { MetricsHistory, ProjectMetrics } from "@/api/types";

import type { Range } from "./range";

export function useNodeMetrics(id: string, range: Range) {
  return useQuery({
    queryKey: keys.nodeMetrics(id, range.value),
    queryFn: ({ signal }) => call<MetricsHistory>("GET", `/nodes/${encodeURIComponent(id)}/metrics?range=${range.value}`, { signal }),
    refetchInterval: range.refreshMs,
  });
}

/** Of what processes are: a project, or a workspace. */
export interface Measured {
  kind: "project" | "workspace";
  id: string;
}

export function useProcessMetrics({ kind, id }: Measured, range: Range) {
  return useQuery({
    queryKey: kind === "project" ? keys.projectMetrics(id, range.value) : keys.workspaceMetrics(id, range.value),
    queryFn: ({ signal }) => call<ProjectMetrics>("GET", `/${kind}s/${encodeURIComponent(id)}/metrics?range=${range.value}`, { signal }),
    refetchInterval: Math.max(range.refreshMs, 5000),
  });
}

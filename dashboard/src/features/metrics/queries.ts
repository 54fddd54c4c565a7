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

export function useProjectMetrics(id: string, range: Range) {
  return useQuery({
    queryKey: keys.projectMetrics(id, range.value),
    queryFn: ({ signal }) => call<ProjectMetrics>("GET", `/projects/${encodeURIComponent(id)}/metrics?range=${range.value}`, { signal }),
    refetchInterval: Math.max(range.refreshMs, 5000),
  });
}

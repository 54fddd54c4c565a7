import { useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { MetricsHistory, Node, NodeList, SystemInfo } from "@/api/types";

const METRICS_MS = 5000;
/** Asking a machine for it starts programs there. */
const SYSTEM_MS = 30_000;

export function useNodes() {
  return useQuery({
    queryKey: keys.nodes,
    queryFn: async ({ signal }) => (await call<NodeList>("GET", "/nodes", { signal })).nodes,
    refetchInterval: METRICS_MS,
  });
}

export function useNode(id: string) {
  return useQuery({
    queryKey: keys.node(id),
    queryFn: ({ signal }) => call<Node>("GET", `/nodes/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: METRICS_MS,
  });
}

export function useNodeMetrics(id: string) {
  return useQuery({
    queryKey: keys.nodeMetrics(id),
    queryFn: ({ signal }) => call<MetricsHistory>("GET", `/nodes/${encodeURIComponent(id)}/metrics`, { signal }),
    refetchInterval: METRICS_MS,
  });
}

export function useSystemInfo(id: string) {
  return useQuery({
    queryKey: keys.systemInfo(id),
    queryFn: ({ signal }) => call<SystemInfo>("GET", `/nodes/${encodeURIComponent(id)}/system-info`, { signal }),
    refetchInterval: SYSTEM_MS,
  });
}

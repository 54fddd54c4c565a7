import { useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { Node, NodeList } from "@/api/types";

const METRICS_MS = 5000;

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

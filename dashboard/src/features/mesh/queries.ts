import { useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Mesh } from "@/api/types";

/** Machines come and go, and credits move with each answer: no event tells of it. */
export const LIVE_MS = 2000;

/** It is switched off, which only a restart changes. */
export function isMeshOff(error: unknown): boolean {
  return error instanceof ApiError && error.code === "MESH_OFF";
}

export function useMesh() {
  return useQuery({
    queryKey: keys.mesh,
    queryFn: ({ signal }) => call<Mesh>("GET", "/mesh", { signal }),
    refetchInterval: (query) => (isMeshOff(query.state.error) ? false : LIVE_MS),
  });
}

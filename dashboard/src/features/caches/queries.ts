import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { BuildCache, BuildCacheList, BuildCachePrune, BuildCachePruned } from "@/api/types";

/** Caches change with builds, of which no event tells when they were measured. */
const CACHES_MS = 10_000;

function cachesOf(nodeId: string): string {
  return `/nodes/${encodeURIComponent(nodeId)}/caches`;
}

function cacheOf(projectId: string): string {
  return `/projects/${encodeURIComponent(projectId)}/cache`;
}

export function useCaches(nodeId: string) {
  return useQuery({
    queryKey: keys.caches(nodeId),
    queryFn: ({ signal }) => call<BuildCacheList>("GET", cachesOf(nodeId), { signal }),
    refetchInterval: CACHES_MS,
  });
}

/** What pruning would free, asked of the node. */
export function useWouldFree(nodeId: string, bytes: number | undefined, enabled: boolean) {
  return useQuery({
    queryKey: keys.wouldFree(nodeId, bytes ?? "all"),
    queryFn: ({ signal }) => call<BuildCachePruned>("POST", `${cachesOf(nodeId)}/prune`, { body: { dry_run: true, bytes } satisfies BuildCachePrune, signal }),
    enabled,
    staleTime: 0,
    placeholderData: keepPreviousData,
  });
}

function useCachesChanged() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: keys.cachesAll });
}

export function usePrune(nodeId: string) {
  const changed = useCachesChanged();
  return useMutation({
    mutationFn: (bytes: number | undefined) => call<BuildCachePruned>("POST", `${cachesOf(nodeId)}/prune`, { body: { dry_run: false, bytes } satisfies BuildCachePrune }),
    onSuccess: changed,
  });
}

export function useProjectCache(projectId: string) {
  return useQuery({
    queryKey: keys.projectCache(projectId),
    queryFn: ({ signal }) => call<BuildCache>("GET", cacheOf(projectId), { signal }),
    refetchInterval: CACHES_MS,
  });
}

export function useClearCache(projectId: string) {
  const changed = useCachesChanged();
  return useMutation({ mutationFn: () => call<BuildCachePruned>("DELETE", cacheOf(projectId)), onSuccess: changed });
}

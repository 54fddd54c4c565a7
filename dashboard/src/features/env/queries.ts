import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { EnvVarUpdate, RuntimeConfig, RuntimeFileSet } from "@/api/types";

export function useRuntimeConfig(projectId: string) {
  return useQuery({
    queryKey: keys.env(projectId),
    queryFn: ({ signal }) => call<RuntimeConfig>("GET", `/projects/${encodeURIComponent(projectId)}/runtime-config`, { signal }),
  });
}

export function useSaveEnv(projectId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: EnvVarUpdate[]) => call("PUT", `/projects/${encodeURIComponent(projectId)}/env`, { body }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.env(projectId) }),
  });
}

export function useSetFile(projectId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: RuntimeFileSet) => call("POST", `/projects/${encodeURIComponent(projectId)}/runtime/files`, { body }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.env(projectId) }),
  });
}

export function useRemoveFile(projectId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (path: string) => call("DELETE", `/projects/${encodeURIComponent(projectId)}/runtime/files?path=${encodeURIComponent(path)}`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.env(projectId) }),
  });
}

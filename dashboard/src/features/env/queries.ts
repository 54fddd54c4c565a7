import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { EnvVar, EnvVarUpdate } from "@/api/types";

export function useEnv(projectId: string) {
  return useQuery({
    queryKey: keys.env(projectId),
    queryFn: ({ signal }) => call<EnvVar[]>("GET", `/projects/${encodeURIComponent(projectId)}/env`, { signal }),
  });
}

export function useSaveEnv(projectId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: EnvVarUpdate[]) => call("PUT", `/projects/${encodeURIComponent(projectId)}/env`, { body }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.env(projectId) }),
  });
}

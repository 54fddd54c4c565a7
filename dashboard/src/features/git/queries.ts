import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { GitCredentialList, WorkSettings } from "@/api/types";

export function useGitCredentials() {
  return useQuery({
    queryKey: keys.gitCredentials,
    queryFn: async ({ signal }) => (await call<GitCredentialList>("GET", "/me/git-credentials", { signal })).git_credentials,
  });
}

export interface NewGitCredential {
  host: string;
  username?: string;
  token: string;
}

export function useSetGitCredential() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ host, ...body }: NewGitCredential) => call("PUT", `/me/git-credentials/${encodeURIComponent(host)}`, { body }),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.gitCredentials }),
  });
}

export function useRemoveGitCredential() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (host: string) => call("DELETE", `/me/git-credentials/${encodeURIComponent(host)}`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.gitCredentials }),
  });
}

export function useWorkSettings() {
  return useQuery({
    queryKey: keys.workSettings,
    queryFn: ({ signal }) => call<WorkSettings>("GET", "/me/work-settings", { signal }),
  });
}

export function useSaveWorkSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: WorkSettings) => call<WorkSettings>("PUT", "/me/work-settings", { body }),
    onSuccess: (saved) => client.setQueryData(keys.workSettings, saved),
  });
}

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { AuthStatus, Credentials, Me, Setup } from "@/api/types";

export function useAuthStatus() {
  return useQuery({
    queryKey: keys.authStatus,
    queryFn: ({ signal }) => call<AuthStatus>("GET", "/auth/status", { signal }),
    staleTime: Infinity,
  });
}

/** Whether this is the portal of a mesh by itself, which serves neither projects nor machines to run them. */
export function useMeshOnly(): boolean {
  return useAuthStatus().data?.mesh_only ?? false;
}

export function useMe() {
  return useQuery({
    queryKey: keys.me,
    queryFn: async ({ signal }) => (await call<Me>("GET", "/auth/me", { signal })).user,
    staleTime: 60_000,
  });
}

const signedIn = (before?: AuthStatus): AuthStatus => ({
  users_count: Math.max(1, before?.users_count ?? 1),
  authenticated: true,
  mesh_only: before?.mesh_only ?? false,
});

function useEntry<T>(path: string) {
  const client = useQueryClient();
  return useMutation({
    meta: { signsIn: true },
    mutationFn: (body: T) => call("POST", path, { body }),
    onSuccess: () => {
      // What an earlier user saw is none of this one's business.
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "auth" });
      client.removeQueries({ queryKey: keys.me });
      client.setQueryData<AuthStatus>(keys.authStatus, signedIn);
    },
  });
}

export function useSetup() {
  return useEntry<Setup>("/auth/setup");
}

export function useLogin() {
  return useEntry<Credentials>("/auth/login");
}

export function useLogout() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call("POST", "/auth/logout"),
    onSuccess: () => {
      client.setQueryData<AuthStatus>(keys.authStatus, (status) => status && { ...status, authenticated: false });
      client.removeQueries({ predicate: ({ queryKey }) => queryKey.join() !== keys.authStatus.join() });
    },
  });
}

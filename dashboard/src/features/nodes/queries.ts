import { useIsMutating, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { JoinTokenCreate, JoinTokenCreated, JoinTokenList, Node, NodeList, NodeUpdate, SystemInfo } from "@/api/types";
import { useMeshOnly } from "@/features/auth/queries";

const METRICS_MS = 5000;
/** Asking a machine for it starts programs there. */
const SYSTEM_MS = 30_000;
/** Events say when a token is spent; this is for those that others make and revoke. */
const TOKENS_MS = 15_000;

export function useNodes() {
  const meshOnly = useMeshOnly();
  return useQuery({
    queryKey: keys.nodes,
    queryFn: async ({ signal }) => (await call<NodeList>("GET", "/nodes", { signal })).nodes,
    enabled: !meshOnly,
    refetchInterval: METRICS_MS,
  });
}

function pathOf(id: string): string {
  return `/nodes/${encodeURIComponent(id)}`;
}

export function useNode(id: string) {
  const client = useQueryClient();
  return useQuery<Node>({
    queryKey: keys.node(id),
    queryFn: ({ signal }) => call<Node>("GET", pathOf(id), { signal }),
    placeholderData: () => client.getQueryData<Node[]>(keys.nodes)?.find((node) => node.id === id),
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

/** What every change of one server makes true at once, before its event comes. */
function useNodeChange<T>(change: (argument: T) => Promise<Node>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: (node) => {
      client.setQueryData(keys.node(node.id), node);
      client.setQueryData<Node[]>(keys.nodes, (nodes) => nodes?.map((each) => (each.id === node.id ? node : each)));
    },
  });
}

export function useUpdateNode(id: string) {
  return useNodeChange((body: NodeUpdate) => call<Node>("PATCH", pathOf(id), { body }));
}

export function useDrainNode(id: string) {
  return useNodeChange(() => call<Node>("POST", `${pathOf(id)}/drain`));
}

export function useResumeNode(id: string) {
  return useNodeChange(() => call<Node>("POST", `${pathOf(id)}/resume`));
}

function removalKey(id: string) {
  return ["nodes", "remove", id];
}

export function useRemoveNode(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: removalKey(id),
    mutationFn: (force: boolean) => call("DELETE", pathOf(id), { query: { force } }),
    onSuccess: () => {
      client.setQueryData<Node[]>(keys.nodes, (nodes) => nodes?.filter((node) => node.id !== id));
      void client.invalidateQueries({ queryKey: keys.nodes });
    },
  });
}

/** Whether this page is removing it: it may be gone before that is answered. */
export function useIsRemoving(id: string): boolean {
  return useIsMutating({ mutationKey: removalKey(id) }) > 0;
}

/** The invitations of the last time, newest first. */
export function useJoinTokens() {
  return useQuery({
    queryKey: keys.joinTokens,
    queryFn: async ({ signal }) => (await call<JoinTokenList>("GET", "/cluster/tokens", { signal })).tokens,
    refetchInterval: TOKENS_MS,
  });
}

export function useCreateJoinToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: JoinTokenCreate) => call<JoinTokenCreated>("POST", "/cluster/generate-token", { body }),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.joinTokens }),
  });
}

export function useRevokeJoinToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => call("DELETE", `/cluster/tokens/${encodeURIComponent(id)}`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.joinTokens }),
  });
}

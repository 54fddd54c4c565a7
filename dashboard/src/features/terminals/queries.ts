import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call, callBytes } from "@/api/call";
import { keys } from "@/api/keys";
import type { Terminal, TerminalCreate, TerminalLinkCreated, TerminalLinkList, TerminalList, TerminalMatchList } from "@/api/types";

/** In case the events do not come through. */
const TERMINALS_MS = 10_000;

export function terminalsOf(workspaceId: string): string {
  return `/workspaces/${encodeURIComponent(workspaceId)}/terminals`;
}

function pathOf(workspaceId: string, id: string): string {
  return `${terminalsOf(workspaceId)}/${encodeURIComponent(id)}`;
}

export function useTerminals(workspaceId: string, enabled = true) {
  return useQuery({
    queryKey: keys.terminals(workspaceId),
    queryFn: async ({ signal }) => (await call<TerminalList>("GET", terminalsOf(workspaceId), { signal })).terminals,
    refetchInterval: TERMINALS_MS,
    enabled,
  });
}

function useTerminalsChanged(workspaceId: string) {
  const client = useQueryClient();
  const queryKey = keys.terminals(workspaceId);
  return {
    /** What is true before the server was asked again. */
    set: (change: (terminals: Terminal[]) => Terminal[]) => client.setQueryData<Terminal[]>(queryKey, (terminals) => terminals && change(terminals)),
    refresh: () => client.invalidateQueries({ queryKey }),
  };
}

export function useCreateTerminal(workspaceId: string) {
  const { set, refresh } = useTerminalsChanged(workspaceId);
  return useMutation({
    // Wakes nothing: a page that opens its first terminal is nobody's hand.
    mutationFn: (body: TerminalCreate) => call<Terminal>("POST", terminalsOf(workspaceId), { body }),
    onSuccess: (terminal) => {
      set((terminals) => [...terminals.filter((each) => each.id !== terminal.id), terminal]);
      void refresh();
    },
  });
}

export function useRenameTerminal(workspaceId: string) {
  const { set, refresh } = useTerminalsChanged(workspaceId);
  return useMutation({
    mutationFn: ({ id, name }: { id: string; name: string }) => call("PATCH", pathOf(workspaceId, id), { body: { name } }),
    onMutate: ({ id, name }) => set((terminals) => terminals.map((each) => (each.id === id ? { ...each, name } : each))),
    onSettled: () => refresh(),
  });
}

export function useCloseTerminal(workspaceId: string) {
  const { set, refresh } = useTerminalsChanged(workspaceId);
  return useMutation({
    mutationFn: (id: string) => call("DELETE", pathOf(workspaceId, id)),
    onSuccess: (_answer, id) => set((terminals) => terminals.filter((each) => each.id !== id)),
    onSettled: () => refresh(),
  });
}

/** Links by which others watch one, oldest first. */
export function useTerminalLinks(workspaceId: string, id: string) {
  return useQuery({
    queryKey: keys.terminalLinks(workspaceId, id),
    queryFn: async ({ signal }) => (await call<TerminalLinkList>("GET", `${pathOf(workspaceId, id)}/links`, { signal })).links,
    staleTime: 0,
  });
}

export function useCreateTerminalLink(workspaceId: string, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (expires_in_seconds: number) => call<TerminalLinkCreated>("POST", `${pathOf(workspaceId, id)}/links`, { body: { expires_in_seconds } }),
    onSettled: () => client.invalidateQueries({ queryKey: keys.terminalLinks(workspaceId, id) }),
  });
}

export function useDeleteTerminalLink(workspaceId: string, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (link: string) => call("DELETE", `${pathOf(workspaceId, id)}/links/${encodeURIComponent(link)}`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.terminalLinks(workspaceId, id) }),
  });
}

/** Lines of all output that is kept, of all terminals. */
export function useMatches(workspaceId: string, query: string) {
  return useQuery({
    queryKey: keys.terminalMatches(workspaceId, query),
    queryFn: ({ signal }) => call<TerminalMatchList>("GET", `/workspaces/${encodeURIComponent(workspaceId)}/matches`, { query: { q: query }, signal }),
    enabled: query.trim().length > 0,
    staleTime: 0,
    placeholderData: keepPreviousData,
  });
}

/** `max` bytes of a terminal's output at most, as they were put out. */
export async function readOutput(workspaceId: string, id: string, from: number, max: number): Promise<{ from: number; bytes: Uint8Array }> {
  const { bytes, headers } = await callBytes(`${pathOf(workspaceId, id)}/output`, { from, max });
  return { from: Number(headers.get("x-from") ?? from), bytes };
}

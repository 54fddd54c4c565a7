import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { call, callBytes } from "@/api/call";
import { keys } from "@/api/keys";
import type { Terminal, TerminalCreate, TerminalLinkCreated, TerminalLinkList, TerminalList, TerminalMatchList } from "@/api/types";
import { toast } from "@/ui/toast-store";

/** In case the events do not come through. */
const TERMINALS_MS = 10_000;

export function terminalsOf(workspaceId: string): string {
  return `/workspaces/${encodeURIComponent(workspaceId)}/terminals`;
}

function pathOf(workspaceId: string, id: string): string {
  return `${terminalsOf(workspaceId)}/${encodeURIComponent(id)}`;
}

async function readTerminals(workspaceId: string, signal?: AbortSignal): Promise<Terminal[]> {
  return (await call<TerminalList>("GET", terminalsOf(workspaceId), { signal })).terminals;
}

export function useTerminals(workspaceId: string, enabled = true) {
  return useQuery({
    queryKey: keys.terminals(workspaceId),
    queryFn: ({ signal }) => readTerminals(workspaceId, signal),
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

function createTerminal(workspaceId: string, body: TerminalCreate): Promise<Terminal> {
  return call<Terminal>("POST", terminalsOf(workspaceId), { body });
}

/**
 * Opens a terminal in a workspace in which none runs, once, by what the server says now: a list that was read earlier
 * may be from before the workspace was stopped.
 */
export function useFirstTerminal(workspaceId: string): { isDecided: boolean; opened: string | undefined } {
  const client = useQueryClient();
  const { mutate, data, isSuccess, isError } = useMutation({
    mutationFn: async () => {
      const terminals = await readTerminals(workspaceId);
      client.setQueryData(keys.terminals(workspaceId), terminals);
      if (terminals.some((terminal) => terminal.is_running)) return undefined;
      const opened = await createTerminal(workspaceId, {});
      client.setQueryData(keys.terminals(workspaceId), [...terminals, opened]);
      return opened.id;
    },
    onError: toast.error,
  });
  const asked = useRef(false);
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    mutate();
  }, [mutate]);
  return { isDecided: isSuccess || isError, opened: data };
}

export function useCreateTerminal(workspaceId: string) {
  const { set, refresh } = useTerminalsChanged(workspaceId);
  return useMutation({
    mutationFn: (body: TerminalCreate) => createTerminal(workspaceId, body),
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

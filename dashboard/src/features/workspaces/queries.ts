import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import { useMeshOnly } from "@/features/auth/queries";
import { ACTIVE_POLL_MS } from "@/features/deployments/queries";

import type {
  PortAccess,
  Workspace,
  WorkspaceAwake,
  WorkspaceCreate,
  WorkspaceList,
  WorkspacePortShared,
  WorkspaceUpdate,
} from "@/api/types";
import { withPort } from "./ports";
import { isMoving } from "./words";

function pathOf(id: string): string {
  return `/workspaces/${encodeURIComponent(id)}`;
}

export function logPathOf(id: string): string {
  return `${pathOf(id)}/log`;
}

export function useWorkspaces() {
  const meshOnly = useMeshOnly();
  return useQuery({
    queryKey: keys.workspaces,
    queryFn: async ({ signal }) => (await call<WorkspaceList>("GET", "/workspaces", { signal })).workspaces,
    enabled: !meshOnly,
    refetchInterval: ({ state }) => (state.data?.some((workspace) => isMoving(workspace.state)) ? ACTIVE_POLL_MS : false),
  });
}

/** No event says that a port is listened on. */
const PORTS_MS = 10_000;

export function useWorkspace(id: string) {
  const client = useQueryClient();
  return useQuery<Workspace>({
    queryKey: keys.workspace(id),
    queryFn: ({ signal }) => call<Workspace>("GET", pathOf(id), { signal }),
    placeholderData: () => client.getQueryData<Workspace[]>(keys.workspaces)?.find((workspace) => workspace.id === id),
    refetchInterval: ({ state }) => (state.data && isMoving(state.data.state) ? ACTIVE_POLL_MS : PORTS_MS),
  });
}

export function useCreateWorkspace() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: WorkspaceCreate) => call<Workspace>("POST", "/workspaces", { body }),
    onSuccess: (workspace) => {
      client.setQueryData(keys.workspace(workspace.id), workspace);
      void client.invalidateQueries({ queryKey: keys.workspaces });
    },
  });
}

/** What every change of one makes true, without waiting for the event that says so. */
function useWorkspaceChange<T = undefined>(change: (id: string, argument: T) => Promise<unknown>, id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (argument: T) => change(id, argument),
    // Also after a refusal: it has changed in the meantime, and the page should say how.
    onSettled: () => client.invalidateQueries({ queryKey: keys.workspacesAll }),
  });
}

export function useUpdateWorkspace(id: string) {
  return useWorkspaceChange((of, body: WorkspaceUpdate) => call("PATCH", pathOf(of), { body }), id);
}

export function useKeepAwake(id: string) {
  return useWorkspaceChange((of, body: WorkspaceAwake) => call("POST", `${pathOf(of)}/awake`, { body }), id);
}

export function useLetSleep(id: string) {
  return useWorkspaceChange((of) => call("DELETE", `${pathOf(of)}/awake`), id);
}

export function useStopWorkspace(id: string) {
  return useWorkspaceChange((of) => call("POST", `${pathOf(of)}/stop`), id);
}

export function useRestartWorkspace(id: string) {
  return useWorkspaceChange((of) => call("POST", `${pathOf(of)}/restart`), id);
}

export function useRebuildWorkspace(id: string) {
  return useWorkspaceChange((of) => call("POST", `${pathOf(of)}/rebuild`, { body: { discard_files: true } }), id);
}

export function useDeleteWorkspace(id: string) {
  return useWorkspaceChange((of) => call("DELETE", pathOf(of)), id);
}

/** Opens a port to others, or closes it to them. */
export function useSharePort(id: string, port: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (access: PortAccess) => call<WorkspacePortShared>("PUT", `${pathOf(id)}/ports/${port}`, { body: { access } }),
    onSuccess: ({ access, is_listening, url }) =>
      client.setQueryData<Workspace>(
        keys.workspace(id),
        (workspace) => workspace && { ...workspace, ports: withPort(workspace.ports, { port, access, is_listening, url }) },
      ),
    onSettled: () => client.invalidateQueries({ queryKey: keys.workspacesAll }),
  });
}

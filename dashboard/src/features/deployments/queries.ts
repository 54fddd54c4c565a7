import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { Deployment, DeploymentAccepted, DeploymentList, NotDeployed, Redeploy, ReleaseList, Rollback, RollbackPlan } from "@/api/types";

import { isSettled } from "./steps";

/** In case the events do not come through. */
export const ACTIVE_POLL_MS = 5000;
const PAGE_SIZE = 25;

export function useDeployment(id: string) {
  return useQuery({
    queryKey: keys.deployment(id),
    queryFn: ({ signal }) => call<Deployment>("GET", `/deployments/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: ({ state }) => (state.data && !isSettled(state.data.state) ? ACTIVE_POLL_MS : false),
  });
}

export function useProjectDeployments(projectId: string) {
  return useInfiniteQuery({
    queryKey: keys.projectDeployments(projectId),
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) =>
      call<DeploymentList>("GET", `/projects/${encodeURIComponent(projectId)}/deployments`, {
        query: { limit: PAGE_SIZE, cursor: pageParam },
        signal,
      }),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    select: (data) => data.pages.flatMap((page) => page.deployments),
  });
}

/** What a change to one deployment makes stale, without waiting for the event that says so. */
function useDeploymentChanged() {
  const client = useQueryClient();
  return (deployment?: Deployment) => {
    if (deployment) client.setQueryData(keys.deployment(deployment.id), deployment);
    void client.invalidateQueries({ queryKey: keys.projects });
    void client.invalidateQueries({ queryKey: keys.projectDetails });
    return client.invalidateQueries({ queryKey: keys.projectDeploymentLists });
  };
}

export function useRedeploy() {
  const changed = useDeploymentChanged();
  return useMutation({
    mutationFn: ({ projectId, ...body }: Redeploy & { projectId: string }) =>
      call<DeploymentAccepted>("POST", `/projects/${encodeURIComponent(projectId)}/redeploy`, { body }),
    onSuccess: ({ deployment }) => void changed(deployment),
  });
}

/** Deploys if something that the project watches has changed, and says why not otherwise. */
export function useRedeployIfChanged() {
  const changed = useDeploymentChanged();
  return useMutation({
    mutationFn: (projectId: string) =>
      call<DeploymentAccepted | NotDeployed>("POST", `/projects/${encodeURIComponent(projectId)}/redeploy`, { body: { if_changed: true } }),
    onSuccess: (answer) => {
      if ("deployment" in answer) void changed(answer.deployment);
    },
  });
}

/** What going back to a deployment's release would change, while somebody is asked whether to. */
export function useRollbackPlan(projectId: string, deploymentId: string, enabled: boolean) {
  return useQuery({
    queryKey: keys.rollbackPlan(projectId, deploymentId),
    queryFn: ({ signal }) =>
      call<RollbackPlan>("GET", `/projects/${encodeURIComponent(projectId)}/rollback-plan`, { query: { deployment_id: deploymentId }, signal }),
    enabled,
    // What is live may be another one by the next time.
    staleTime: 0,
    gcTime: 0,
  });
}

export function useReleases(projectId: string) {
  return useQuery({
    queryKey: keys.releases(projectId),
    queryFn: ({ signal }) => call<ReleaseList>("GET", `/projects/${encodeURIComponent(projectId)}/releases`, { signal }),
  });
}

export function usePin() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, pinned }: { id: string; pinned: boolean }) => call(pinned ? "PUT" : "DELETE", `/releases/${encodeURIComponent(id)}/pin`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.releaseLists }),
  });
}

export function useRollback() {
  const changed = useDeploymentChanged();
  return useMutation({
    mutationFn: ({ projectId, ...body }: Rollback & { projectId: string }) =>
      call<DeploymentAccepted>("POST", `/projects/${encodeURIComponent(projectId)}/rollback`, { body }),
    onSuccess: ({ deployment }) => void changed(deployment),
  });
}

export function useCancel() {
  const client = useQueryClient();
  const changed = useDeploymentChanged();
  return useMutation({
    mutationFn: (id: string) => call("POST", `/deployments/${encodeURIComponent(id)}/cancel`),
    // Also after a refusal: it has settled in the meantime, and the page should say how.
    onSettled: (_data, _error, id) => {
      void client.invalidateQueries({ queryKey: keys.deployment(id) });
      return changed();
    },
  });
}

export function useUpload(projectId: string) {
  const changed = useDeploymentChanged();
  return useMutation({
    mutationFn: (archive: File) => call<DeploymentAccepted>("PUT", `/projects/${encodeURIComponent(projectId)}/source`, { body: archive }),
    onSuccess: ({ deployment }) => void changed(deployment),
  });
}

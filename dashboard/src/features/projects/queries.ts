import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { Plan, PlanRequest, Project, ProjectCreate, ProjectCreated, ProjectList, ProjectUpdate, VolumeUseList } from "@/api/types";
import { useMeshOnly } from "@/features/auth/queries";
import { ACTIVE_POLL_MS } from "@/features/deployments/queries";
import { isSettled } from "@/features/deployments/steps";

/** Whether it will change without somebody's doing: no event says that a port is served again. */
function isBusy(project: Project): boolean {
  return project.status === "deleting" || project.port_error != null || project.down_code != null || (project.latest_deployment != null && !isSettled(project.latest_deployment.state));
}

export function useProjects() {
  const meshOnly = useMeshOnly();
  return useQuery({
    queryKey: keys.projects,
    queryFn: async ({ signal }) => (await call<ProjectList>("GET", "/projects", { signal })).projects,
    enabled: !meshOnly,
    refetchInterval: ({ state }) => (state.data?.some(isBusy) ? ACTIVE_POLL_MS : false),
  });
}

export function useProject(id: string) {
  const client = useQueryClient();
  return useQuery<Project>({
    queryKey: keys.project(id),
    queryFn: ({ signal }) => call<Project>("GET", `/projects/${encodeURIComponent(id)}`, { signal }),
    placeholderData: () => client.getQueryData<Project[]>(keys.projects)?.find((project) => project.id === id),
    refetchInterval: ({ state }) => (state.data && isBusy(state.data) ? ACTIVE_POLL_MS : false),
  });
}

const VOLUMES_MS = 5000;

/** What a project's volumes take of the disk. */
export function useVolumes(id: string) {
  return useQuery({
    queryKey: keys.volumes(id),
    queryFn: async ({ signal }) => (await call<VolumeUseList>("GET", `/projects/${encodeURIComponent(id)}/volumes`, { signal })).volumes,
    refetchInterval: VOLUMES_MS,
  });
}

export function useCreateProject() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ProjectCreate) => call<ProjectCreated>("POST", "/projects", { body }),
    onSuccess: ({ project, deployment }) => {
      client.setQueryData(keys.project(project.id), project);
      if (deployment) client.setQueryData(keys.deployment(deployment.id), deployment);
      void client.invalidateQueries({ queryKey: keys.projects });
    },
  });
}

export function useUpdateProject(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ProjectUpdate) => call("PATCH", `/projects/${encodeURIComponent(id)}`, { body }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.projects });
      void client.invalidateQueries({ queryKey: keys.volumes(id) });
      return client.invalidateQueries({ queryKey: keys.projectDetails });
    },
  });
}

export function useDeleteProject(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call("DELETE", `/projects/${encodeURIComponent(id)}`),
    onSuccess: () => {
      client.setQueryData<Project[]>(keys.projects, (projects) => projects?.filter((project) => project.id !== id));
      return client.invalidateQueries({ queryKey: keys.projects });
    },
  });
}

/** Asks only when told to: the server fetches the repository for it. */
export function usePlan() {
  return useMutation({ mutationFn: (body: PlanRequest) => call<Plan>("POST", "/projects/plan", { body }) });
}

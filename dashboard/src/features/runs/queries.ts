import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { Run, RunCreate, RunList, ScheduleList, SchedulePut } from "@/api/types";
import { ACTIVE_POLL_MS } from "@/features/deployments/queries";

const PAGE_SIZE = 25;

function runsOf(projectId: string): string {
  return `/projects/${encodeURIComponent(projectId)}/runs`;
}

function scheduleOf(projectId: string, name: string): string {
  return `/projects/${encodeURIComponent(projectId)}/schedules/${encodeURIComponent(name)}`;
}

export function useRun(id: string) {
  return useQuery({
    queryKey: keys.run(id),
    queryFn: ({ signal }) => call<Run>("GET", `/runs/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: ({ state }) => (state.data?.state === "running" ? ACTIVE_POLL_MS : false),
  });
}

/** All of a project, or those of one schedule. */
export function useRuns(projectId: string, schedule = "") {
  return useInfiniteQuery({
    queryKey: keys.projectRuns(projectId, schedule),
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => call<RunList>("GET", runsOf(projectId), { query: { limit: PAGE_SIZE, cursor: pageParam, schedule }, signal }),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    select: (data) => data.pages.flatMap((page) => page.runs),
  });
}

export function useSchedules(projectId: string) {
  return useQuery({
    queryKey: keys.schedules(projectId),
    queryFn: async ({ signal }) => (await call<ScheduleList>("GET", `/projects/${encodeURIComponent(projectId)}/schedules`, { signal })).schedules,
  });
}

/** What a change makes stale, without waiting for the event that says so. */
function useRunsChanged() {
  const client = useQueryClient();
  return (run?: Run) => {
    if (run) client.setQueryData(keys.run(run.id), run);
    return client.invalidateQueries({ queryKey: keys.runs });
  };
}

export function useStartRun(projectId: string) {
  const changed = useRunsChanged();
  return useMutation({
    mutationFn: (body: RunCreate) => call<Run>("POST", runsOf(projectId), { body }),
    onSuccess: (run) => void changed(run),
  });
}

export function useStartSchedule(projectId: string) {
  const changed = useRunsChanged();
  return useMutation({
    mutationFn: (name: string) => call<Run>("POST", `${scheduleOf(projectId, name)}/run`),
    onSuccess: (run) => void changed(run),
  });
}

export function useStopRun() {
  const changed = useRunsChanged();
  return useMutation({
    mutationFn: (id: string) => call<Run>("POST", `/runs/${encodeURIComponent(id)}/cancel`),
    // Also after a refusal: it has ended in the meantime, and the page should say how.
    onSettled: (run) => changed(run),
  });
}

export function useSetSchedule(projectId: string) {
  const changed = useRunsChanged();
  return useMutation({
    mutationFn: ({ name, ...body }: SchedulePut & { name: string }) => call("PUT", scheduleOf(projectId, name), { body }),
    onSuccess: () => changed(),
  });
}

export function useRemoveSchedule(projectId: string) {
  const changed = useRunsChanged();
  return useMutation({
    mutationFn: (name: string) => call("DELETE", scheduleOf(projectId, name)),
    onSettled: () => changed(),
  });
}

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { ActivityKind, ActivityList } from "@/api/types";

const PAGE_SIZE = 30;
/** As many as the server tells at once. */
const MOST = 100;

function pathOf(projectId: string): string {
  return `/projects/${encodeURIComponent(projectId)}/activity`;
}

/** What happened in a project, newest first; of one kind, where that is given. */
export function useActivity(projectId: string, kind: ActivityKind | "") {
  return useInfiniteQuery({
    queryKey: keys.activity(projectId, kind),
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam: before, signal }) => call<ActivityList>("GET", pathOf(projectId), { query: { event_type: kind, before, limit: PAGE_SIZE }, signal }),
    getNextPageParam: ({ events, has_more }) => (has_more ? events.at(-1)?.position : undefined),
    select: ({ pages }) => pages.flatMap((page) => page.events),
  });
}

/** What happened in a workspace, as far as it is among the newest of its project. */
export function useWorkspaceActivity(projectId: string, workspaceId: string) {
  return useQuery({
    queryKey: keys.activity(projectId, "newest"),
    queryFn: ({ signal }) => call<ActivityList>("GET", pathOf(projectId), { query: { limit: MOST }, signal }),
    select: ({ events }) => events.filter((event) => event.workspace_id === workspaceId),
  });
}

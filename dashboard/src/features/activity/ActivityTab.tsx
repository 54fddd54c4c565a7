import { Activity } from "lucide-react";
import { useSearchParams } from "react-router";

import type { ActivityEvent } from "@/api/types";
import { useProjectContext } from "@/features/projects/project-context";
import { useWorkspaces } from "@/features/workspaces/queries";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { classes } from "@/ui/classes";
import { inputClass } from "@/ui/Field";
import { PageTitle } from "@/ui/PageTitle";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { Events } from "./Events";
import { useActivity } from "./queries";
import { kindChoices } from "./words";

/** Where the page of a workspace is that is no more, there is none. */
function usePathTo(projectId: string) {
  const { data: workspaces } = useWorkspaces();
  return ({ deployment_id, workspace_id }: ActivityEvent) => {
    if (deployment_id) return `/projects/${projectId}/deployments/${deployment_id}`;
    return workspaces?.some(({ id }) => id === workspace_id) ? `/workspaces/${workspace_id}` : undefined;
  };
}

export default function ActivityTab() {
  const { project } = useProjectContext();
  const [search, setSearch] = useSearchParams();
  const kind = kindChoices.find(([each]) => each === search.get("of"))?.[0] ?? "";
  const { data: events, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useActivity(project.id, kind);
  const pathTo = usePathTo(project.id);
  return (
    <div className="flex flex-col gap-3">
      <PageTitle>{`Activity · ${project.name}`}</PageTitle>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 className="text-[15px] font-semibold">What happened</h2>
        <select
          aria-label="Show"
          value={kind}
          onChange={({ target }) => setSearch(target.value ? { of: target.value } : {}, { replace: true, preventScrollReset: true })}
          className={classes(inputClass, "w-auto! max-sm:w-full!")}
          data-testid="activity-kind"
        >
          <option value="">Everything</option>
          {kindChoices.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {!events && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!events && !error && (
        <Loading label="Loading what happened">
          <Skeleton className="h-64 rounded-xl" />
        </Loading>
      )}
      {events?.length === 0 && (
        <EmptyState icon={Activity} title={kind ? "Nothing of that happened" : "Nothing happened yet"}>
          Deployments that go live or fail, and your workspaces, show up here as it happens.
        </EmptyState>
      )}
      {events && events.length > 0 && (
        <Card className="overflow-hidden">
          <Events events={events} pathTo={pathTo} className="px-4 sm:px-5" />
        </Card>
      )}
      {hasNextPage && (
        <Button className="mx-auto flex" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Load older
        </Button>
      )}
    </div>
  );
}

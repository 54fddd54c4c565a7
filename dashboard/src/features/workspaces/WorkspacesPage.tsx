import { GitBranch, MonitorDot, Plus, Server, SquareTerminal } from "lucide-react";
import { Link, useSearchParams } from "react-router";

import { asSentence } from "@/api/error";
import { useProjects } from "@/features/projects/queries";
import { plural } from "@/format/quantity";
import { Button, ButtonLink } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { DeleteButton, RestartButton, StopButton } from "./actions";
import { NewWorkspaceDialog } from "./NewWorkspaceDialog";
import { useWorkspaces } from "./queries";
import type { Workspace } from "@/api/types";
import { WorkspaceStateBadge } from "./WorkspaceStateBadge";
import { branchOf, canRestart, canStop, isUsable, pathOf } from "./words";

function Row({ workspace }: { workspace: Workspace }) {
  const { state } = workspace;
  return (
    <li data-testid="workspace" className="relative flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-4 py-3 hover:bg-hover/50 sm:px-5">
      <div className="min-w-0 flex-1 basis-72">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <Link to={pathOf(workspace)} className="min-w-0 font-medium wrap-anywhere before:absolute before:inset-0 hover:underline">
            {workspace.name}
          </Link>
          <WorkspaceStateBadge state={state} />
          <span className="text-[13px] text-faint">
            <RelativeTime at={workspace.state_since} />
          </span>
        </p>
        <p className="mt-1 flex flex-wrap gap-x-4 gap-y-0.5 text-[13px] text-soft">
          <span>{workspace.project_name}</span>
          <span className="inline-flex min-w-0 items-center gap-1.5">
            <GitBranch aria-label="Branch" className="size-3.5 shrink-0 text-faint" />
            <span className="truncate font-mono text-xs">{branchOf(workspace)}</span>
          </span>
          <span className="inline-flex items-center gap-1.5">
            <Server aria-label="Server" className="size-3.5 text-faint" />
            {workspace.node_name}
          </span>
          {isUsable(state) && (
            <span className="inline-flex items-center gap-1.5">
              <SquareTerminal aria-hidden className="size-3.5 text-faint" />
              {plural(workspace.terminals, "terminal")}
            </span>
          )}
        </p>
        {(state === "error" || state === "recovery") && workspace.reason && (
          <p className="mt-1 text-[13px] wrap-anywhere text-faint">
            <Prose>{asSentence(workspace.reason)}</Prose>
          </p>
        )}
      </div>
      <div className="relative flex flex-wrap items-center gap-1.5">
        {isUsable(state) && (
          <ButtonLink to={pathOf(workspace)} size="sm" variant="primary" icon={SquareTerminal} aria-label={`Open ${workspace.name}`}>
            Open
          </ButtonLink>
        )}
        {canRestart(state) && <RestartButton workspace={workspace} size="sm" />}
        {canStop(state) && <StopButton workspace={workspace} size="sm" />}
        {state !== "deleting" && <DeleteButton workspace={workspace} size="sm" variant="ghost" />}
      </div>
    </li>
  );
}

function NoWorkspaces({ onNew }: { onNew: () => void }) {
  const { data: projects } = useProjects();
  if (projects?.length === 0) {
    return (
      <EmptyState
        icon={MonitorDot}
        title="Add a project first"
        actions={
          <ButtonLink to="/projects/new" variant="primary" icon={Plus}>
            New project
          </ButtonLink>
        }
      >
        A workspace is a checkout of a project. Add the repository that you want to work on.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={MonitorDot}
      title="Open your first workspace"
      actions={
        <Button variant="primary" icon={Plus} onClick={onNew}>
          New workspace
        </Button>
      }
    >
      A checkout of a project on one of your machines, with terminals in the browser. What runs in it goes on when you close the page, and your files stay when you stop it.
    </EmptyState>
  );
}

export default function WorkspacesPage() {
  const { data: workspaces, error, refetch } = useWorkspaces();
  const [search, setSearch] = useSearchParams();
  const open = () => setSearch({ new: "" });
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Workspaces</PageTitle>
      <PageHeader
        title="Workspaces"
        subtitle="Projects opened on your machines, to work on in the browser."
        actions={
          <Button variant="primary" icon={Plus} onClick={open} data-testid="new-workspace">
            New workspace
          </Button>
        }
      />
      {!workspaces && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!workspaces && !error && (
        <Loading label="Loading workspaces">
          <Skeleton className="h-44 rounded-xl" />
        </Loading>
      )}
      {workspaces?.length === 0 && <NoWorkspaces onNew={open} />}
      {workspaces && workspaces.length > 0 && (
        <Card>
          <ul className="divide-y divide-line">
            {workspaces.map((workspace) => (
              <Row key={workspace.id} workspace={workspace} />
            ))}
          </ul>
        </Card>
      )}
      <NewWorkspaceDialog open={search.has("new")} projectId={search.get("project") ?? ""} onClose={() => setSearch({}, { replace: true })} />
    </div>
  );
}

import { Info } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";

import { ApiError } from "@/api/error";
import { useFirstTerminal, useTerminals } from "@/features/terminals/queries";
import { TerminalDesk } from "@/features/terminals/TerminalDesk";
import { FillPage } from "@/shell/FillPage";
import { NotFound } from "@/shell/NotFound";
import { IconButton } from "@/ui/Button";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { ErrorState, Loading, Skeleton } from "@/ui/states";

import { DeleteButton, RebuildButton, RestartButton, StopButton } from "./actions";
import { isAsleep } from "./idle";
import { useWorkspace } from "./queries";
import { RecoveryBar } from "./RecoveryBar";
import type { Workspace } from "@/api/types";
import { SleepMenu } from "./StayAwake";
import { WorkspaceFacts } from "./WorkspaceFacts";
import { WorkspaceInfo } from "./WorkspaceInfo";
import { WorkspacePorts } from "./WorkspacePorts";
import { WorkspaceStateBadge } from "./WorkspaceStateBadge";
import { WorkspaceStart } from "./WorkspaceStart";
import { canRebuild, canRestart, canStop, isUsable } from "./words";

function UsableWorkspace({ workspace }: { workspace: Workspace }) {
  const navigate = useNavigate();
  const [search, setSearch] = useSearchParams();
  const [info, setInfo] = useState(false);
  const first = useFirstTerminal(workspace.id);
  const { data: terminals, error, refetch } = useTerminals(workspace.id, first.isDecided);

  /** So that it is not shown again by loading the page again, and can be asked for again. */
  function forgetWanted() {
    setSearch(
      (before) => {
        before.delete("terminal");
        return before;
      },
      { replace: true, preventScrollReset: true },
    );
  }

  return (
    <FillPage>
      <header className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line px-3 py-2 sm:px-4">
        <h1 className="flex min-w-0 items-center gap-2 font-semibold">
          <Link to="/workspaces" className="hidden rounded font-normal text-faint hover:text-ink hover:underline sm:inline">
            Workspaces
          </Link>
          <span aria-hidden className="hidden font-normal text-faint sm:inline">
            /
          </span>
          <span className="truncate">{workspace.name}</span>
        </h1>
        <WorkspaceStateBadge state={workspace.state} />
        <div className="hidden min-w-0 flex-1 lg:block">
          <WorkspaceFacts workspace={workspace} />
        </div>
        <div className="ml-auto flex items-center gap-1.5">
          {workspace.idle && <SleepMenu workspace={workspace} idle={workspace.idle} />}
          <WorkspacePorts workspace={workspace} />
          <StopButton workspace={workspace} size="sm" />
          <IconButton label="About this workspace" icon={Info} onClick={() => setInfo(true)} data-testid="workspace-info" />
        </div>
      </header>
      {workspace.state === "recovery" && <RecoveryBar workspace={workspace} onDeleted={() => void navigate("/workspaces")} />}
      {!first.isDecided || (!terminals && !error) ? (
        <Loading label="Loading the terminals" className="flex-1 p-4">
          <Skeleton className="h-full" />
        </Loading>
      ) : terminals ? (
        <TerminalDesk
          key={workspace.id}
          workspaceId={workspace.id}
          terminals={terminals}
          wanted={search.get("terminal") ?? undefined}
          onWantedShown={forgetWanted}
          first={first.opened}
          onChanged={() => void refetch()}
        />
      ) : (
        <div className="p-4">
          <ErrorState error={error} onRetry={() => void refetch()} />
        </div>
      )}
      <WorkspaceInfo workspace={workspace} open={info} onOpenChange={setInfo} onDeleted={() => void navigate("/workspaces")} />
    </FillPage>
  );
}

function OtherWorkspace({ workspace }: { workspace: Workspace }) {
  const navigate = useNavigate();
  const { state } = workspace;
  return (
    <div className="flex flex-col gap-5">
      <PageHeader
        crumbs={[{ label: "Workspaces", to: "/workspaces" }]}
        title={
          <>
            <span className="wrap-anywhere">{workspace.name}</span>
            <WorkspaceStateBadge state={state} />
          </>
        }
        subtitle={<WorkspaceFacts workspace={workspace} />}
        actions={
          <>
            {canStop(state) && <StopButton workspace={workspace} />}
            {state !== "deleting" && <DeleteButton workspace={workspace} onDone={() => void navigate("/workspaces")} />}
            {canRebuild(state) && <RebuildButton workspace={workspace} />}
            {canRestart(state) && !isAsleep(workspace) && <RestartButton workspace={workspace} variant="primary" />}
          </>
        }
      />
      <WorkspaceStart workspace={workspace} />
    </div>
  );
}

/** What was asked to be deleted here takes the page with it, and whatever waits for the answer. */
function useLeaveWhenDeleted(id: string, workspace: Workspace | undefined, isGone: boolean) {
  const navigate = useNavigate();
  const seen = useRef("");
  const isDeleting = workspace?.state === "deleting";
  useEffect(() => {
    if (seen.current === id && (isDeleting || isGone)) void navigate("/workspaces", { replace: true });
    else if (workspace && !isDeleting && !isGone) seen.current = id;
  }, [id, workspace, isDeleting, isGone, navigate]);
}

export default function WorkspacePage() {
  const { id = "" } = useParams();
  const { data: workspace, error, refetch } = useWorkspace(id);
  const isGone = error instanceof ApiError && error.status === 404;
  useLeaveWhenDeleted(id, workspace, isGone);

  if (isGone) return <NotFound what="workspace" />;
  if (!workspace) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the workspace" className="flex flex-col gap-5">
        <Skeleton className="h-9 w-72" />
        <Skeleton className="h-96" />
      </Loading>
    );
  }
  return (
    <>
      <PageTitle>{`${workspace.name} · Workspaces`}</PageTitle>
      {isUsable(workspace.state) ? <UsableWorkspace key={workspace.id} workspace={workspace} /> : <OtherWorkspace key={workspace.id} workspace={workspace} />}
    </>
  );
}

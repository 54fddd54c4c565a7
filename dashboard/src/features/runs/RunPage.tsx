import { useQueryClient } from "@tanstack/react-query";
import { CalendarClock, Rocket, Timer, User, type LucideIcon } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";

import { ApiError, asSentence } from "@/api/error";
import { keys } from "@/api/keys";
import type { Run } from "@/api/types";
import { FailureBox } from "@/features/deployments/Failure";
import { useDeployment } from "@/features/deployments/queries";
import { downloadLog } from "@/features/logs/download";
import { showAll, type LogFilter } from "@/features/logs/log-filter";
import { LogView } from "@/features/logs/LogView";
import { useLogStream } from "@/features/logs/use-log-stream";
import { useProject } from "@/features/projects/queries";
import { NotFound } from "@/shell/NotFound";
import { Card } from "@/ui/Card";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { ErrorState, Loading, Notice, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { AgainButton, StopButton } from "./actions";
import { useRun } from "./queries";
import { RunDuration } from "./RunDuration";
import { RunStateBadge } from "./RunStateBadge";
import { causeOf, titleOf } from "./words";

function Fact({ icon: Icon, label, children }: { icon: LucideIcon; label: string; children: ReactNode }) {
  return (
    <span className="inline-flex items-center gap-1.5">
      <Icon aria-hidden className="size-3.5 text-faint" />
      <span className="sr-only">{label}:</span>
      {children}
    </span>
  );
}

function Facts({ run }: { run: Run }) {
  const { data: deployment } = useDeployment(run.deployment_id);
  return (
    <Card className="flex flex-col gap-3 px-4 py-4 sm:px-5">
      <code aria-label="Command" className="font-mono text-[13px] wrap-anywhere whitespace-pre-wrap">
        <span aria-hidden className="text-faint select-none">
          ${" "}
        </span>
        {run.command}
      </code>
      <div className="flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-soft">
        <Fact icon={User} label="Cause">
          {causeOf(run)}
        </Fact>
        <Fact icon={CalendarClock} label="Began">
          <RelativeTime at={run.created_at} />
        </Fact>
        {run.state !== "skipped" && (
          <Fact icon={Timer} label="Duration">
            <RunDuration run={run} />
          </Fact>
        )}
        <Fact icon={Rocket} label="With the release of">
          <Link to={`/projects/${run.project_id}/deployments/${run.deployment_id}`} className="rounded text-accent-ink hover:underline">
            {deployment ? `deployment #${deployment.number}` : "a deployment"}
          </Link>
        </Fact>
        {run.exit_code != null && (
          <span data-testid="exit-code" className="tabular-nums">
            exit code {run.exit_code}
          </span>
        )}
      </div>
    </Card>
  );
}

function RunLog({ run }: { run: Run }) {
  const client = useQueryClient();
  const path = `/runs/${encodeURIComponent(run.id)}/log`;
  const { log, state } = useLogStream(path);
  const [filter, setFilter] = useState<LogFilter>(showAll);

  // The log ends at the moment the state changes; whoever watches it should not wait for the event.
  useEffect(() => {
    if (state === "ended") void client.invalidateQueries({ queryKey: keys.run(run.id) });
  }, [state, client, run.id]);

  return (
    <LogView
      label={`Log of ${titleOf(run)}`}
      log={log}
      state={state}
      live={run.state === "running"}
      filter={filter}
      onFilter={setFilter}
      onDownload={() => void downloadLog(path, `${run.id}.log`).catch(toast.error)}
      empty={state === "connecting" ? "Opening the log…" : run.state === "running" ? "It has written nothing yet." : "It wrote nothing, or what it wrote is not kept any more."}
      testId="run-log"
      className="h-[max(20rem,calc(100dvh-24rem))]"
    />
  );
}

function Outcome({ run }: { run: Run }) {
  if (run.state === "failed") return <FailureBox reason={run.reason} code={run.failure_code} lines={run.last_lines} />;
  if (run.reason) return <Notice tone={run.state === "lost" ? "warn" : "calm"}>{asSentence(run.reason)}</Notice>;
  return null;
}

export default function RunPage() {
  const { id: projectId = "", runId = "" } = useParams();
  const { data: project } = useProject(projectId);
  const { data: run, error, refetch } = useRun(runId);

  if (!run) {
    if (error instanceof ApiError && error.status === 404) return <NotFound what="run" />;
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the run" className="flex flex-col gap-5">
        <Skeleton className="h-7 w-64" />
        <Skeleton className="h-20" />
        <Skeleton className="h-96" />
      </Loading>
    );
  }

  const base = `/projects/${projectId}`;
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>{`${titleOf(run)} · ${project?.name ?? "Project"}`}</PageTitle>
      <PageHeader
        crumbs={[
          { label: "Projects", to: "/" },
          { label: project?.name ?? "…", to: base },
          { label: "Runs", to: `${base}/runs` },
        ]}
        title={
          <>
            <span className="wrap-anywhere">{titleOf(run)}</span>
            <RunStateBadge state={run.state} />
          </>
        }
        actions={run.state === "running" ? <StopButton run={run} /> : <AgainButton run={run} />}
      />
      <Facts run={run} />
      <Outcome run={run} />
      {run.state !== "skipped" && <RunLog key={run.id} run={run} />}
    </div>
  );
}

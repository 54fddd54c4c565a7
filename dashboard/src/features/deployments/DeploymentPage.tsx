import { useQueryClient } from "@tanstack/react-query";
import { CalendarClock, ExternalLink, GitBranch, Timer, User } from "lucide-react";
import { useEffect, useState, type ReactNode } from "react";
import { useNavigate, useParams } from "react-router";

import { ApiError, asSentence } from "@/api/error";
import { keys } from "@/api/keys";
import type { Deployment } from "@/api/types";
import { downloadLog } from "@/features/logs/download";
import { showAll, type LogFilter } from "@/features/logs/log-filter";
import { LogView } from "@/features/logs/LogView";
import { useLogStream } from "@/features/logs/use-log-stream";
import { PlanSummary } from "@/features/projects/PlanSummary";
import { useProject } from "@/features/projects/queries";
import { NotFound } from "@/shell/NotFound";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { ErrorState, Loading, Notice, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { CancelButton, RedeployButton, RollbackButton } from "./actions";
import { CommitLine, whoDid } from "./CommitLine";
import { DeploymentStateBadge, triggerWords } from "./DeploymentStateBadge";
import { Duration } from "./Duration";
import { Failure } from "./Failure";
import { useDeployment } from "./queries";
import { canRollBackTo } from "./rollback-target";
import { StepProgress } from "./StepProgress";
import { isSettled } from "./steps";

function Fact({ icon: Icon, label, children }: { icon: typeof User; label: string; children: ReactNode }) {
  return (
    <span className="inline-flex items-center gap-1.5">
      <Icon aria-hidden className="size-3.5 text-faint" />
      <span className="sr-only">{label}:</span>
      {children}
    </span>
  );
}

function Facts({ deployment }: { deployment: Deployment }) {
  const who = whoDid(deployment);
  return (
    <div className="flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-soft">
      {deployment.branch && (
        <Fact icon={GitBranch} label="Branch">
          {deployment.branch}
        </Fact>
      )}
      {who && (
        <Fact icon={User} label="By">
          {who}
        </Fact>
      )}
      <Fact icon={CalendarClock} label="Asked for">
        {triggerWords[deployment.trigger]}, <RelativeTime at={deployment.created_at} />
      </Fact>
      <Fact icon={Timer} label="Duration">
        <Duration deployment={deployment} />
      </Fact>
    </div>
  );
}

function DeploymentLog({ deployment }: { deployment: Deployment }) {
  const client = useQueryClient();
  const path = `/deployments/${encodeURIComponent(deployment.id)}/log`;
  const { log, state } = useLogStream(path);
  const [filter, setFilter] = useState<LogFilter>(showAll);
  const settled = isSettled(deployment.state);

  // The log ends at the moment the state changes; whoever watches it should not wait for the event.
  useEffect(() => {
    if (state === "ended") void client.invalidateQueries({ queryKey: keys.deployment(deployment.id) });
  }, [state, client, deployment.id]);

  return (
    <LogView
      label={`Log of deployment ${deployment.number}`}
      log={log}
      state={state}
      live={!settled}
      filter={filter}
      onFilter={setFilter}
      onDownload={() => void downloadLog(path, `deployment-${deployment.number}.log`).catch(toast.error)}
      empty={state === "connecting" ? "Opening the log…" : deployment.state === "queued" ? "Waiting for its turn. The log begins when the build does." : "Nothing was logged."}
      testId="deployment-log"
      className="h-[max(24rem,calc(100dvh-27rem))]"
    />
  );
}

function Skeletons() {
  return (
    <Loading label="Loading the deployment" className="flex flex-col gap-5">
      <Skeleton className="h-7 w-64" />
      <Skeleton className="h-20" />
      <Skeleton className="h-96" />
    </Loading>
  );
}

export default function DeploymentPage() {
  const { id: projectId = "", deploymentId = "" } = useParams();
  const navigate = useNavigate();
  const { data: project } = useProject(projectId);
  const { data: deployment, error, refetch } = useDeployment(deploymentId);

  if (!deployment) {
    if (error instanceof ApiError && error.status === 404) return <NotFound what="deployment" />;
    return error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <Skeletons />;
  }

  const follow = (next: Deployment) => void navigate(`/projects/${projectId}/deployments/${next.id}`);
  const settled = isSettled(deployment.state);
  const projectName = project?.name ?? "Project";

  return (
    <div className="flex flex-col gap-5">
      <PageTitle>{`#${deployment.number} · ${projectName}`}</PageTitle>
      <PageHeader
        crumbs={[
          { label: "Projects", to: "/" },
          { label: projectName, to: `/projects/${projectId}` },
          { label: "Deployments", to: `/projects/${projectId}/deployments` },
        ]}
        title={
          <>
            Deployment #{deployment.number}
            <DeploymentStateBadge state={deployment.state} />
          </>
        }
        subtitle={<CommitLine deployment={deployment} />}
        actions={
          <>
            {deployment.state === "live" && project && (
              <a href={project.url} target="_blank" rel="noreferrer" data-testid="open-app" className={buttonClass("primary")}>
                <ExternalLink aria-hidden className="size-4" />
                Open app
              </a>
            )}
            {!settled && <CancelButton deployment={deployment} />}
            {canRollBackTo(deployment, project?.live_deployment) && <RollbackButton deployment={deployment} onStarted={follow} />}
            {(deployment.state === "failed" || deployment.state === "cancelled") && <RedeployButton projectId={projectId} label="Try again" onStarted={follow} />}
          </>
        }
      />
      {(deployment.state === "failed" || (deployment.last_lines?.length ?? 0) > 0) && <Failure deployment={deployment} othersLive={project?.live_deployment != null} />}
      {deployment.state !== "failed" && deployment.reason && <Notice>{asSentence(deployment.reason)}</Notice>}
      <Card className="flex flex-col gap-4 px-4 py-4 sm:px-5">
        {deployment.state !== "superseded" && <StepProgress deployment={deployment} />}
        <Facts deployment={deployment} />
        {deployment.plan && <PlanSummary plan={deployment.plan} />}
      </Card>
      <DeploymentLog key={deployment.id} deployment={deployment} />
    </div>
  );
}

import { ArrowRight, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";

import { asSentence } from "@/api/error";
import type { Deployment, Project } from "@/api/types";
import { CancelButton, RollbackButton } from "@/features/deployments/actions";
import { CommitLine, whoDid } from "@/features/deployments/CommitLine";
import { DeploymentStateBadge } from "@/features/deployments/DeploymentStateBadge";
import { Duration } from "@/features/deployments/Duration";
import { Failure } from "@/features/deployments/Failure";
import { useProjectDeployments } from "@/features/deployments/queries";
import { canRollBackTo } from "@/features/deployments/rollback-target";
import { StepProgress } from "@/features/deployments/StepProgress";
import { isSettled } from "@/features/deployments/steps";
import { ProcessPlots } from "@/features/metrics/ProcessPlots";
import { ButtonLink } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { Notice } from "@/ui/states";

import { planKind, PlanSummary } from "./PlanSummary";
import { Processes } from "./Processes";
import { ProjectServers } from "./ProjectServers";
import { useProjectContext } from "./project-context";
import { addressOf, shortRepo } from "./repo-url";
import { UploadPanel } from "./UploadPanel";

function pathOf(deployment: Deployment): string {
  return `/projects/${deployment.project_id}/deployments/${deployment.id}`;
}

function Running({ deployment }: { deployment: Deployment }) {
  return (
    <Panel
      title={`Deployment #${deployment.number}`}
      description={<CommitLine deployment={deployment} />}
      actions={
        <>
          <DeploymentStateBadge state={deployment.state} />
          <CancelButton deployment={deployment} size="sm" />
          <ButtonLink to={pathOf(deployment)} size="sm">
            Watch the log
          </ButtonLink>
        </>
      }
    >
      <div className="mt-1">
        <StepProgress deployment={deployment} />
      </div>
    </Panel>
  );
}

function LastFailed({ deployment, othersLive }: { deployment: Deployment; othersLive: boolean }) {
  return (
    <section aria-label="The last deployment failed" className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="font-medium">
          Deployment #{deployment.number} failed <RelativeTime at={deployment.finished_at ?? deployment.created_at} className="font-normal text-faint" />
        </p>
        <Link to={pathOf(deployment)} className="inline-flex items-center gap-1 rounded text-[13px] text-accent-ink hover:underline">
          Read its log <ArrowRight aria-hidden className="size-3.5" />
        </Link>
      </div>
      <Failure deployment={deployment} othersLive={othersLive} />
    </section>
  );
}

function Live({ project, deployment }: { project: Project; deployment: Deployment }) {
  const { data: history } = useProjectDeployments(project.id);
  const previous = history?.find((each) => canRollBackTo(each, deployment));
  const who = whoDid(deployment);
  return (
    <Panel
      title="Live now"
      actions={
        <>
          {previous && <RollbackButton deployment={previous} size="sm" label={`Roll back to #${previous.number}`} />}
          <ButtonLink to={pathOf(deployment)} size="sm">
            Details
          </ButtonLink>
        </>
      }
    >
      <CommitLine deployment={deployment} className="text-[15px]" />
      <p className="mt-1 text-[13px] text-faint">
        #{deployment.number}
        {who && ` · ${who}`} · live since <RelativeTime at={deployment.finished_at ?? deployment.created_at} /> · took <Duration deployment={deployment} />
      </p>
      {deployment.plan && (
        <div className="mt-3">
          <PlanSummary plan={deployment.plan} />
        </div>
      )}
    </Panel>
  );
}

function Row({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline justify-between gap-4 py-2">
      <dt className="shrink-0 text-faint">{label}</dt>
      <dd className="min-w-0 truncate text-right">{children}</dd>
    </div>
  );
}

function Facts({ project }: { project: Project }) {
  const plan = (project.live_deployment ?? project.latest_deployment)?.plan;
  const linkClass = "rounded text-accent-ink hover:underline";
  return (
    <Panel title="About">
      <dl className="-my-2 divide-y divide-line text-[13px]">
        <Row label="Address">
          <a href={project.url} target="_blank" rel="noreferrer" className={linkClass}>
            {addressOf(project)}
          </a>
        </Row>
        <Row label="Source">
          {project.source === "image" ? (
            <code className="font-mono break-all">{project.image}</code>
          ) : project.repo_url ? (
            <a href={project.repo_url} target="_blank" rel="noreferrer" className={linkClass}>
              {shortRepo(project.repo_url)}
            </a>
          ) : (
            "Uploaded files"
          )}
        </Row>
        {project.source === "git" && <Row label="Branch">{project.branch ?? project.latest_deployment?.branch ?? "the repository's default"}</Row>}
        {project.root_directory && (
          <Row label="Directory">
            <code className="font-mono">{project.root_directory}</code>
          </Row>
        )}
        {plan && <Row label="Kind">{planKind(plan)}</Row>}
        <Row label="Port">
          <span className="tabular-nums">{project.port}</span>
        </Row>
        <Row label="Created">
          <RelativeTime at={project.created_at} />
        </Row>
      </dl>
    </Panel>
  );
}

export default function OverviewTab() {
  const { project } = useProjectContext();
  const { latest_deployment: latest, live_deployment: live } = project;
  return (
    <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
      <PageTitle>{project.name}</PageTitle>
      <div className="flex min-w-0 flex-col gap-5">
        {project.port_error && (
          <Notice tone="warn" icon={TriangleAlert}>
            {`${asSentence(project.port_error)} The port is tried again; the app's address works all the same.`}
          </Notice>
        )}
        {latest && !isSettled(latest.state) && <Running deployment={latest} />}
        {latest?.state === "failed" && <LastFailed deployment={latest} othersLive={live != null} />}
        {live && <Live project={project} deployment={live} />}
        {live && <Processes live={live} nodeId={project.node_id} />}
        {live && <ProcessPlots of={{ kind: "project", id: project.id }} />}
        {project.source === "upload" && latest?.state !== "queued" && project.status !== "deleting" && <UploadPanel project={project} />}
        {project.source !== "upload" && !latest && (
          <Panel title="Nothing was deployed yet">
            <p className="text-soft">Redeploy takes the newest commit of the branch, builds it and makes it live.</p>
          </Panel>
        )}
        {!live && latest && isSettled(latest.state) && latest.state !== "failed" && (
          <Panel title="Nothing is live">
            <p className="text-soft">The last deployment ended before it answered. Redeploy to try again.</p>
          </Panel>
        )}
      </div>
      <div className="flex min-w-0 flex-col gap-5">
        <ProjectServers project={project} />
        <Facts project={project} />
      </div>
    </div>
  );
}

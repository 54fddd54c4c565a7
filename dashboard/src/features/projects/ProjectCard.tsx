import { ExternalLink } from "lucide-react";
import { Link } from "react-router";

import type { Project } from "@/api/types";
import { CommitLine, whoDid } from "@/features/deployments/CommitLine";
import { DeploymentStateBadge } from "@/features/deployments/DeploymentStateBadge";
import { isSettled } from "@/features/deployments/steps";
import { RelativeTime } from "@/ui/RelativeTime";

import { ProjectStatusBadge } from "./ProjectStatusBadge";
import { addressOf } from "./repo-url";

function LastDeployment({ project }: { project: Project }) {
  const deployment = project.latest_deployment;
  if (!deployment) {
    return <p className="text-[13px] text-faint">{project.source === "upload" ? "Waits for its first upload" : "Never deployed"}</p>;
  }
  const who = whoDid(deployment);
  return (
    <div className="flex flex-col gap-1 text-[13px]">
      <CommitLine deployment={deployment} />
      <p className="truncate pl-5.5 text-faint">
        {who && `${who} · `}
        <RelativeTime at={deployment.finished_at ?? deployment.created_at} />
      </p>
    </div>
  );
}

export function ProjectCard({ project }: { project: Project }) {
  const latest = project.latest_deployment;
  const busy = latest && !isSettled(latest.state);
  // The status speaks of what visitors find; a failed try beside a live release needs its own word.
  const aside = latest && (busy || latest.state === "failed") && project.status !== "failed" && project.status !== "deploying";
  return (
    <article
      data-testid="project-card"
      className="relative flex flex-col gap-3.5 overflow-hidden rounded-xl border border-line bg-surface p-4 shadow-card transition-colors hover:border-line-strong"
    >
      <div className="flex items-start justify-between gap-3">
        <div className="min-w-0">
          <h2 className="truncate text-[15px] font-semibold">
            <Link to={`/projects/${project.id}`} className="before:absolute before:inset-0 before:rounded-xl focus-visible:outline-none focus-visible:before:outline-2 focus-visible:before:-outline-offset-2 focus-visible:before:outline-accent-strong">
              {project.name}
            </Link>
          </h2>
          <a
            href={project.url}
            target="_blank"
            rel="noreferrer"
            className="relative mt-0.5 inline-flex max-w-full items-center gap-1 rounded text-[13px] text-faint hover:text-accent-ink hover:underline"
          >
            <span className="truncate">{addressOf(project)}</span>
            <ExternalLink aria-label="opens in a new tab" className="size-3 shrink-0" />
          </a>
        </div>
        <ProjectStatusBadge status={project.status} />
      </div>
      <div className="mt-auto border-t border-line pt-3">
        <LastDeployment project={project} />
        {aside && (
          <div className="mt-2.5 flex items-center gap-2 text-[13px] text-soft">
            <DeploymentStateBadge state={latest.state} /> #{latest.number}
          </div>
        )}
      </div>
      {busy && (
        <span aria-hidden className="absolute inset-x-0 bottom-0 h-0.5 overflow-hidden bg-accent-wash">
          <span className="block h-full w-1/3 animate-slide-bar bg-accent" />
        </span>
      )}
    </article>
  );
}

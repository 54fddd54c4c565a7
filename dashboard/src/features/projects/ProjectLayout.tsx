import { ExternalLink, MonitorDot } from "lucide-react";
import { Outlet, useParams } from "react-router";

import { ApiError } from "@/api/error";
import { RedeployButton, RedeployIfChangedButton } from "@/features/deployments/actions";
import { NotFound } from "@/shell/NotFound";
import { buttonClass, ButtonLink } from "@/ui/Button";
import { PageHeader } from "@/ui/PageTitle";
import { ErrorState, Loading, Notice, Skeleton } from "@/ui/states";
import { Tabs } from "@/ui/Tabs";

import { AwayNotices } from "./ProjectServers";
import type { ProjectContext } from "./project-context";
import { ProjectStatusBadge } from "./ProjectStatusBadge";
import { useProject } from "./queries";

const tabs = [
  { to: ".", label: "Overview", end: true },
  { to: "deployments", label: "Deployments", end: false },
  { to: "runs", label: "Runs", end: false },
  { to: "logs", label: "Logs", end: false },
  { to: "activity", label: "Activity", end: false },
  { to: "env", label: "Environment", end: false },
  { to: "settings", label: "Settings", end: false },
];

export default function ProjectLayout() {
  const { id = "" } = useParams();
  const { data: project, error, refetch } = useProject(id);

  // Also when it was here a moment ago.
  if (error instanceof ApiError && error.status === 404) return <NotFound what="project" />;
  if (!project) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the project" className="flex flex-col gap-5">
        <Skeleton className="h-12 w-72" />
        <Skeleton className="h-9" />
        <Skeleton className="h-56" />
      </Loading>
    );
  }

  const deployable = project.source !== "upload" || project.latest_deployment != null;
  // Elsewhere every commit concerns the project.
  const comparable = project.live_deployment != null && project.source === "git" && Boolean(project.root_directory || project.watch_paths?.length);
  return (
    <div className="flex flex-col gap-5">
      <PageHeader
        crumbs={[{ label: "Projects", to: "/" }]}
        title={
          <>
            <span className="wrap-anywhere">{project.name}</span>
            <ProjectStatusBadge status={project.status} />
          </>
        }
        actions={
          <>
            {project.source === "git" && (
              <ButtonLink to={`/workspaces?new&project=${encodeURIComponent(project.id)}`} icon={MonitorDot} data-testid="open-workspace">
                Open workspace
              </ButtonLink>
            )}
            {comparable && <RedeployIfChangedButton projectId={project.id} disabled={project.status === "deleting"} />}
            {deployable && <RedeployButton projectId={project.id} disabled={project.status === "deleting"} />}
            {project.live_deployment && (
              <a href={project.url} target="_blank" rel="noreferrer" data-testid="open-app" className={buttonClass("primary")}>
                <ExternalLink aria-hidden className="size-4" />
                Open app
              </a>
            )}
          </>
        }
      />
      {project.down_code === "VOLUME_FULL" && project.down_reason && <Notice tone="bad">{`Stopped: ${project.down_reason}.`}</Notice>}
      <AwayNotices project={project} />
      <Tabs label="Project" tabs={tabs} />
      <Outlet context={{ project } satisfies ProjectContext} />
    </div>
  );
}

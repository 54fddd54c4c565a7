import { Rocket } from "lucide-react";
import { Link } from "react-router";

import type { Deployment, Project } from "@/api/types";
import { useProjectContext } from "@/features/projects/project-context";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";
import { useWide } from "@/ui/use-wide";

import { CancelButton, RedeployButton, RollbackButton } from "./actions";
import { CommitLine, whoDid } from "./CommitLine";
import { DeploymentStateBadge, triggerWords } from "./DeploymentStateBadge";
import { Duration } from "./Duration";
import { useProjectDeployments } from "./queries";
import { ReleasesPanel } from "./ReleasesPanel";
import { canRollBackTo } from "./rollback-target";
import { isSettled } from "./steps";

function RowActions({ deployment, project }: { deployment: Deployment; project: Project }) {
  if (!isSettled(deployment.state)) return <CancelButton deployment={deployment} size="sm" />;
  if (canRollBackTo(deployment, project.live_deployment)) return <RollbackButton deployment={deployment} size="sm" />;
  return null;
}

function pathOf(deployment: Deployment): string {
  return `/projects/${deployment.project_id}/deployments/${deployment.id}`;
}

interface ListProps {
  deployments: Deployment[];
  project: Project;
}

function HistoryTable({ deployments, project }: ListProps) {
  const head = "px-3 py-2 text-left text-xs font-medium text-faint first:pl-5 last:pr-5";
  const cell = "px-3 py-2.5 align-middle first:pl-5 last:pr-5";
  return (
    <table className="w-full table-fixed">
      <thead className="border-b border-line">
        <tr>
          <th scope="col" className={`${head} w-20`}>
            No.
          </th>
          <th scope="col" className={`${head} w-36`}>
            State
          </th>
          <th scope="col" className={head}>
            Commit
          </th>
          <th scope="col" className={`${head} w-38`}>
            Trigger
          </th>
          <th scope="col" className={`${head} w-26`}>
            Took
          </th>
          <th scope="col" className={`${head} w-36`}>
            When
          </th>
          <th scope="col" className={`${head} w-38`}>
            <span className="sr-only">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {deployments.map((deployment) => (
          <tr key={deployment.id} className="group relative hover:bg-hover/50">
            <td className={cell}>
              <Link
                to={pathOf(deployment)}
                aria-label={`Deployment ${deployment.number}`}
                className="font-medium tabular-nums before:absolute before:inset-0 hover:underline"
              >
                #{deployment.number}
              </Link>
            </td>
            <td className={cell}>
              <DeploymentStateBadge state={deployment.state} />
            </td>
            <td className={cell}>
              <CommitLine deployment={deployment} />
            </td>
            <td className={`${cell} text-[13px] text-soft`}>
              <span className="block truncate">{triggerWords[deployment.trigger]}</span>
              <span className="block truncate text-xs text-faint">{whoDid(deployment)}</span>
            </td>
            <td className={`${cell} text-[13px] whitespace-nowrap text-soft`}>
              <Duration deployment={deployment} />
            </td>
            <td className={`${cell} truncate text-[13px] text-soft`}>
              <RelativeTime at={deployment.created_at} />
            </td>
            <td className={`${cell} text-right`}>
              <span className="relative">
                <RowActions deployment={deployment} project={project} />
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function HistoryCards({ deployments, project }: ListProps) {
  return (
    <ul className="divide-y divide-line">
      {deployments.map((deployment) => (
        <li key={deployment.id} className="relative flex flex-col gap-2 px-4 py-3">
          <div className="flex items-center justify-between gap-3">
            <Link to={pathOf(deployment)} className="font-medium tabular-nums before:absolute before:inset-0">
              #{deployment.number}
            </Link>
            <DeploymentStateBadge state={deployment.state} />
          </div>
          <CommitLine deployment={deployment} />
          <div className="flex flex-wrap items-center justify-between gap-2 text-[13px] text-faint">
            <span>
              {whoDid(deployment) ?? triggerWords[deployment.trigger]} · <RelativeTime at={deployment.created_at} /> · <Duration deployment={deployment} />
            </span>
            <span className="relative">
              <RowActions deployment={deployment} project={project} />
            </span>
          </div>
        </li>
      ))}
    </ul>
  );
}

export default function DeploymentsTab() {
  const { project } = useProjectContext();
  const History = useWide() ? HistoryTable : HistoryCards;
  const { data: deployments, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useProjectDeployments(project.id);

  return (
    <>
      <PageTitle>{`Deployments · ${project.name}`}</PageTitle>
      {!deployments && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!deployments && !error && (
        <Loading label="Loading the history" className="flex flex-col gap-2">
          {[1, 2, 3, 4].map((row) => (
            <Skeleton key={row} className="h-12" />
          ))}
        </Loading>
      )}
      {deployments?.length === 0 && (
        <EmptyState
          icon={Rocket}
          title="Nothing was deployed yet"
          actions={project.source !== "upload" ? <RedeployButton projectId={project.id} variant="primary" label="Deploy now" testId="deploy-first" /> : undefined}
        >
          Each try to bring a version live shows up here, with its log.
        </EmptyState>
      )}
      {deployments && deployments.length > 0 && (
        <Card className="overflow-hidden">
          <History deployments={deployments} project={project} />
        </Card>
      )}
      {hasNextPage && (
        <Button className="mx-auto mt-4 flex" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Older deployments
        </Button>
      )}
      <ReleasesPanel projectId={project.id} />
    </>
  );
}

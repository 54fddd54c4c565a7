import { Globe, HardDrive, Server, TriangleAlert } from "lucide-react";
import { Link } from "react-router";

import { ApiError } from "@/api/error";
import type { Node, Project } from "@/api/types";
import { NodeStatusBadge } from "@/features/nodes/NodeStatusBadge";
import { serversOf } from "@/features/nodes/placement";
import { useNode } from "@/features/nodes/queries";
import { WorkloadStateBadge } from "@/features/nodes/WorkloadStateBadge";
import { Panel } from "@/ui/Card";
import { RelativeTime } from "@/ui/RelativeTime";
import { Notice } from "@/ui/states";

import { addressOf } from "./repo-url";
import { awayMeaning } from "./server-away";

function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** What of the live release a server has. */
function webState(node: Node, project: Project): string | undefined {
  const live = project.live_deployment?.id;
  return node.workloads.find((workload) => workload.deployment_id === live && workload.process === "web")?.state;
}

function ServerRow({ id, project }: { id: string; project: Project }) {
  const { data: node, error } = useNode(id);
  const gone = isGone(error);
  const known = gone ? undefined : node;
  const state = known && webState(known, project);
  const placement = project.placements?.find((each) => each.node_id === id)?.state;
  return (
    // The line from the address above to each server.
    <li data-testid="project-server" className="relative pt-3 pl-7 before:absolute before:top-0 before:left-2 before:h-full before:border-l before:border-line-strong last:before:h-6 after:absolute after:top-6 after:left-2 after:w-3.5 after:border-t after:border-line-strong">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1.5">
        <span className="flex min-w-0 items-center gap-2">
          <Server aria-hidden className="size-4 shrink-0 text-faint" />
          {known ? (
            <Link to={`/servers/${id}`} className="min-w-0 truncate rounded font-medium hover:underline">
              {known.name}
            </Link>
          ) : (
            <span className="text-soft">{gone ? "a server that was removed" : "…"}</span>
          )}
        </span>
        {known && (known.status === "online" && state ? <WorkloadStateBadge state={state} testId="server-state" /> : <NodeStatusBadge node={known} />)}
      </div>
      {placement && placement !== "wanted" && <p className="mt-1 text-[13px] text-faint">It is leaving: it serves here until it does elsewhere.</p>}
      {!gone && (project.volumes ?? []).length > 0 && (
        <p className="mt-1 flex items-center gap-1.5 text-[13px] text-faint">
          <HardDrive aria-hidden className="size-3.5 shrink-0" /> Its volumes are here, so it stays here.
        </p>
      )}
    </li>
  );
}

/** The way of a visitor: the address, and the servers that answer for it. */
export function ProjectServers({ project }: { project: Project }) {
  return (
    <Panel title="Where it runs">
      <p className="flex min-w-0 items-center gap-2">
        <Globe aria-hidden className="size-4 shrink-0 text-accent-ink" />
        <a href={project.url} target="_blank" rel="noreferrer" className="min-w-0 truncate rounded text-accent-ink hover:underline">
          {addressOf(project)}
        </a>
      </p>
      <ul aria-label="Servers that answer for it">
        {serversOf(project).map((id) => (
          <ServerRow key={id} id={id} project={project} />
        ))}
      </ul>
    </Panel>
  );
}

function AwayNotice({ id }: { id: string }) {
  const { data: node, error } = useNode(id);
  if (isGone(error)) {
    return (
      <Notice tone="bad" icon={TriangleAlert}>
        The server this project was on has been removed: it runs nowhere. Its settings and variables are kept; choose another server in its settings to deploy it there. What only that server had, like volumes, is lost.
      </Notice>
    );
  }
  const meaning = node && awayMeaning(node);
  if (!meaning) return null;
  return (
    <div data-testid="server-away">
      <Notice tone={meaning.tone} icon={TriangleAlert}>
        <Link to={`/servers/${node.id}`} className="rounded font-medium underline">
          {node.name}
        </Link>{" "}
        {meaning.text}
        {node.last_seen_at && meaning.tone !== "calm" && (
          <>
            {" "}
            Last heard from <RelativeTime at={node.last_seen_at} />.
          </>
        )}
      </Notice>
    </div>
  );
}

/** What it means for the project that a server of its own is not there. */
export function AwayNotices({ project }: { project: Project }) {
  return serversOf(project).map((id) => <AwayNotice key={id} id={id} />);
}

import { Boxes, Clock, GitBranch, Server } from "lucide-react";
import { Link } from "react-router";

import { RelativeTime } from "@/ui/RelativeTime";

import type { Workspace } from "@/api/types";
import { branchOf } from "./words";

export function WorkspaceFacts({ workspace }: { workspace: Workspace }) {
  return (
    <div className="flex min-w-0 flex-wrap gap-x-4 gap-y-1 text-[13px] text-soft">
      <Link to={`/projects/${workspace.project_id}`} className="inline-flex items-center gap-1.5 rounded hover:text-ink hover:underline">
        <Boxes aria-label="Project" className="size-3.5 text-faint" />
        {workspace.project_name}
      </Link>
      <span className="inline-flex min-w-0 items-center gap-1.5">
        <GitBranch aria-label="Branch" className="size-3.5 shrink-0 text-faint" />
        <span className="truncate font-mono text-xs">{branchOf(workspace)}</span>
      </span>
      <Link to={`/servers/${workspace.node_id}`} className="inline-flex items-center gap-1.5 rounded hover:text-ink hover:underline">
        <Server aria-label="Server" className="size-3.5 text-faint" />
        {workspace.node_name}
      </Link>
      <span className="inline-flex items-center gap-1.5">
        <Clock aria-label="In this state since" className="size-3.5 text-faint" />
        <RelativeTime at={workspace.state_since} />
      </span>
    </div>
  );
}

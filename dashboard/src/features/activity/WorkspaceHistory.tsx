import type { ReactNode } from "react";

import type { Workspace } from "@/api/types";

import { Events } from "./Events";
import { useWorkspaceActivity } from "./queries";

const SHOWN = 8;

/** The last that happened to a workspace; nothing, not even its frame, where nothing is known. */
export function WorkspaceHistory({ workspace, frame }: { workspace: Pick<Workspace, "id" | "project_id">; frame: (list: ReactNode) => ReactNode }) {
  const { data: events = [] } = useWorkspaceActivity(workspace.project_id, workspace.id);
  if (events.length === 0) return null;
  return frame(<Events events={events.slice(0, SHOWN)} pathTo={() => undefined} />);
}

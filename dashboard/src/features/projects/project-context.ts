import { useOutletContext } from "react-router";

import type { Project } from "@/api/types";

export interface ProjectContext {
  project: Project;
}

/** What the project's page has loaded for its tabs. */
export function useProjectContext(): ProjectContext {
  return useOutletContext<ProjectContext>();
}

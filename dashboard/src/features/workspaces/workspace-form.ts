import type { WorkspaceCreate } from "@/api/types";

export interface WorkspaceForm {
  project_id: string;
  branch: string;
  new_branch: string;
  node_id: string;
  idle_timeout_seconds: number;
}

export function emptyForm(projectId = ""): WorkspaceForm {
  return { project_id: projectId, branch: "", new_branch: "", node_id: "", idle_timeout_seconds: 0 };
}

/** What git would refuse as the name of a branch. */
export function branchProblem(name: string): string | undefined {
  if (name.trim() === "") return undefined;
  // eslint-disable-next-line no-control-regex
  if (/[\s~^:?*[\\\u0000-\u001f\u007f]|\.\.|@\{|\/\/|^[-/]|[/.]$|\.lock$/.test(name.trim())) return "A branch's name has no spaces, and none of ~ ^ : ? * [ \\ or two dots in a row.";
  return undefined;
}

export function toCreate(form: WorkspaceForm): WorkspaceCreate {
  const branch = form.branch.trim();
  const newBranch = form.new_branch.trim();
  return {
    project_id: form.project_id,
    ...(branch && { branch }),
    ...(newBranch && { new_branch: newBranch }),
    ...(form.node_id && { node_id: form.node_id }),
    ...(form.idle_timeout_seconds > 0 && { idle_timeout_seconds: form.idle_timeout_seconds }),
  };
}

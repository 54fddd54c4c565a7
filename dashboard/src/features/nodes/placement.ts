import type { Node, Project, User } from "@/api/types";

import { sortNodes, takesProjects } from "./node-status";

export function isAdmin(user: User | undefined): boolean {
  return user?.role === "admin" || user?.role === "superadmin";
}

/** Its owner may change a server, and an administrator any. */
export function mayChange(node: Pick<Node, "owner_id">, user: User | undefined): boolean {
  return isAdmin(user) || (user != null && node.owner_id === user.id);
}

/** Where this user can put a project now. Who else was granted a server is the server's to know. */
export function choosableNodes(nodes: readonly Node[], user: User | undefined): Node[] {
  return sortNodes(nodes.filter((node) => takesProjects(node) && (node.access !== "owner" || mayChange(node, user))));
}

interface Residents {
  /** By name. */
  projects: Project[];
  /** Of how many more, which this user does not see, something runs there. */
  others: number;
}

/** Which projects belong to a server: placed on it, or with something that still runs there. */
export function residentsOf(node: Pick<Node, "id" | "workloads">, projects: readonly Project[]): Residents {
  const running = new Set(node.workloads.map((workload) => workload.project_id));
  const here = projects.filter((project) => serversOf(project).includes(node.id) || running.has(project.id));
  for (const project of projects) running.delete(project.id);
  return { projects: here.sort((a, b) => a.name.localeCompare(b.name)), others: running.size };
}

/** The servers that a project is on, or on its way to or from; the one that builds it first. */
export function serversOf(project: Pick<Project, "node_id" | "placements">): string[] {
  const others = (project.placements ?? []).map((placement) => placement.node_id).filter((id) => id !== project.node_id);
  return [project.node_id, ...others];
}

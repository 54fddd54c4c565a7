import type { PortAccess, Workspace, WorkspacePort } from "@/api/types";

/** Where a browser that is signed in is let into a port: the port's own address does not know who asks. */
export function openPath(workspaceId: string, port: number): string {
  return `/api/workspaces/${encodeURIComponent(workspaceId)}/ports/${port}/open`;
}

export function isShared(port: Pick<WorkspacePort, "access">): boolean {
  return port.access !== "private";
}

/** What is worth a line: what listens, and what is open to others whether it listens or not. */
export function shownPorts(ports: readonly WorkspacePort[]): WorkspacePort[] {
  return ports.filter((port) => port.is_listening || isShared(port)).sort((a, b) => a.port - b.port);
}

/** With what is true of one of them now. */
export function withPort(ports: Workspace["ports"], changed: WorkspacePort): Workspace["ports"] {
  return [...ports.filter(({ port }) => port !== changed.port), changed].sort((a, b) => a.port - b.port);
}

interface Question {
  text: string;
  confirm: string;
}

/** What is asked before a port is opened so far, as it is at present. */
export function questionBefore(access: PortAccess, now: PortAccess): Question | undefined {
  if (access === "public" && now !== "public") {
    return { text: "Everybody who finds the address reaches it, without signing in, until you close it.", confirm: "Open to everybody" };
  }
  if (access !== "link") return undefined;
  return now === "link"
    ? { text: "The link made before opens nothing from then on; whoever should stay needs the new one.", confirm: "Make another link" }
    : { text: "Whoever has the link reaches it, without signing in, also when it was passed on, until you close it.", confirm: "Make a link" };
}

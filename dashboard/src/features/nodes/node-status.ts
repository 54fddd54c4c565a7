import { CircleCheck, CircleDashed, CircleX, LoaderCircle, LogOut, TriangleAlert, type LucideIcon } from "lucide-react";

import type { Node } from "@/api/types";
import type { Tone } from "@/ui/Badge";

export type NodeState = Pick<Node, "status" | "health_status" | "draining">;

interface StatusLook {
  word: string;
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
}

/** How the state of a server is told: colour, icon and word. */
export function lookOf({ status, health_status }: NodeState): StatusLook {
  switch (status) {
    case "joining":
      return { word: "Joining", tone: "busy", icon: LoaderCircle, spin: true };
    case "unreachable":
      return { word: "Unreachable", tone: "warn", icon: TriangleAlert };
    case "offline":
      return { word: "Offline", tone: "bad", icon: CircleX };
    case "removed":
      return { word: "Removed", tone: "calm", icon: CircleDashed };
    case "draining":
      return { word: "Draining", tone: "calm", icon: LogOut };
    case "online":
      return health_status === "healthy"
        ? { word: "Online", tone: "good", icon: CircleCheck }
        : { word: health_status === "stale" ? "Not heard from lately" : "Unhealthy", tone: "warn", icon: TriangleAlert };
  }
}

/** What a state other than online means for what runs there, and what to do about it. */
export function meaningOf({ status, draining }: NodeState): string | undefined {
  switch (status) {
    case "joining":
      return "It has joined and has not connected yet. When this lasts, look whether `nanoscale join` still runs there.";
    case "unreachable":
      return "Its connection broke a moment ago. Its apps go on, and it comes back by itself. Deployments to it wait.";
    case "offline":
      return "It has been away for more than a minute. Deployments to it wait until it is back. Look whether the machine is on, has a network, and whether NanoScale runs there.";
    case "draining":
      return "It gets nothing new, and what can move goes to other servers. Projects with volumes stay, for their files are here.";
    default:
      return draining ? "It is being emptied." : undefined;
  }
}

/** Whether a project can be put there now. */
export function takesProjects({ status }: NodeState): boolean {
  return status === "online";
}

/** Whether it is there to talk to. */
export function isConnected({ status }: NodeState): boolean {
  return status === "online" || status === "draining";
}

/** This server's own machine first, then by name. */
export function sortNodes<T extends Pick<Node, "embedded" | "name">>(nodes: readonly T[]): T[] {
  return [...nodes].sort((a, b) => Number(b.embedded) - Number(a.embedded) || a.name.localeCompare(b.name));
}

import type { Node } from "@/api/types";

interface Meaning {
  tone: "warn" | "bad" | "calm";
  /** Goes on after the server's name. */
  text: string;
}

/** What the state of its server means for a project, where it means something. */
export function awayMeaning({ status }: Pick<Node, "status">): Meaning | undefined {
  switch (status) {
    case "unreachable":
    case "offline":
      return {
        tone: status === "offline" ? "bad" : "warn",
        text: `is ${status}. As long as the machine itself is up, the app goes on there for visitors who reach it directly; through other servers it does not answer. Deployments wait until it is back, and logs cannot be read.`,
      };
    case "joining":
      return { tone: "warn", text: "has not connected yet. Deployments wait until it has." };
    case "draining":
      return { tone: "calm", text: "is being emptied: this project moves to another server, unless it has volumes." };
    default:
      return undefined;
  }
}

import type { ReleaseChange } from "@/api/types";

const words: Record<string, string> = {
  kind: "Kind",
  directory: "Directory",
  path: "Search path",
  web: "Web process",
  release_command: "Release command",
  health_path: "Health path",
  "network.outward": "Network",
  "network.destinations": "Destinations",
  "network.host_ports": "Ports of the machine",
  "limits.memory_mb": "Memory (MB)",
  "limits.cpu_percent": "Processor (%)",
  "limits.processes": "Processes",
};

const groups: Record<string, string> = {
  worker: "Worker",
  schedule: "Schedule",
  env: "Variable",
  volume: "Volume",
};

/** What a change is about, in words. A newer server's words are shown as they are. */
export function subjectOf({ what }: ReleaseChange): string {
  if (what in words) return words[what] as string;
  const dot = what.indexOf(".");
  const group = groups[what.slice(0, dot)];
  return group ? `${group} ${what.slice(dot + 1)}` : what;
}

/** From what to what; only that it changes where values are not told. */
export function valuesOf({ change, from, to }: ReleaseChange): string {
  if (from != null && to != null) return `${from} → ${to}`;
  const one = to ?? from;
  if (one != null) return one;
  return change === "added" ? "is there again" : change === "removed" ? "goes away" : "has another value";
}

import cronstrue from "cronstrue";

import type { Run } from "@/api/types";

/** What a run is called where its command stands beside it. */
export function titleOf({ kind, name }: Run): string {
  switch (kind) {
    case "release":
      return "Release command";
    case "schedule":
      return name ?? "Scheduled job";
    case "exec":
      return `Inside ${name ?? "the app"}`;
    case "once":
      return "Command";
  }
}

/** Why it ran, in a few words. */
export function causeOf({ kind, created_by }: Run): string {
  if (kind === "release") return "before going live";
  if (created_by) return `by ${created_by}`;
  return "on schedule";
}

export function pathOf(run: Run): string {
  return `/projects/${run.project_id}/runs/${run.id}`;
}

/** "Every 15 minutes", or nothing when it is no schedule; the times of day are the server's, in UTC. */
export function scheduleWords(schedule: string): string | undefined {
  const text = schedule.trim().replace(/^@midnight$/, "@daily");
  if (!text.startsWith("@") && text.split(/\s+/).length !== 5) return undefined;
  try {
    const words = cronstrue.toString(text, { use24HourTimeFormat: true });
    return /\d\d:\d\d/.test(words) ? `${words} (UTC)` : words;
  } catch {
    return undefined;
  }
}

/** "in 3 hours": never a time that has passed. */
export function formatUntil(at: number, now: number): string {
  const minutes = Math.round((at - now) / 60_000);
  const unit = (count: number, name: string) => `in ${count} ${name}${count === 1 ? "" : "s"}`;
  if (minutes < 1) return "within a minute";
  if (minutes < 90) return unit(minutes, "minute");
  if (minutes < 36 * 60) return unit(Math.round(minutes / 60), "hour");
  return unit(Math.round(minutes / 1440), "day");
}

const spans: readonly (readonly [seconds: number, name: string])[] = [
  [3600, "h"],
  [60, "m"],
  [1, "s"],
];

/** "1h", "90s": as short as it goes, and as `parseSpan` reads it. */
export function formatSpan(seconds: number): string {
  const [size, name] = spans.find(([each]) => seconds % each === 0) ?? [1, "s"];
  return `${seconds / size}${name}`;
}

/** Seconds of "30s", "10m", "2h"; `NaN` for everything else. */
export function parseSpan(text: string): number {
  const found = /^(\d+)\s*([hms])$/.exec(text.trim().toLowerCase());
  const size = spans.find(([, name]) => name === found?.[2])?.[0];
  return found && size ? Number(found[1]) * size : Number.NaN;
}

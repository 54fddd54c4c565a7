import type { Workspace, WorkspaceIdle } from "@/api/types";

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const HALF_A_DAY_MS = 12 * 3600 * 1000;

/** "14:05", with the day where that is not plain. */
export function formatTime(iso: string, now: number): string {
  const at = Date.parse(iso);
  return (Math.abs(at - now) < HALF_A_DAY_MS ? clock : dayAndClock).format(at);
}

/** "in 42 s", "in 3 min", "in 2 h 05 min". */
export function formatLeft(iso: string, now: number): string {
  const seconds = Math.max(0, Math.ceil((Date.parse(iso) - now) / 1000));
  if (seconds < 60) return seconds === 0 ? "now" : `in ${seconds} s`;
  if (seconds < 3600) {
    const minutes = Math.floor(seconds / 60);
    // The last minutes tick.
    return minutes < 5 ? `in ${minutes}:${String(seconds % 60).padStart(2, "0")}` : `in ${minutes} min`;
  }
  if (seconds < 48 * 3600) return `in ${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
  return `in ${Math.floor(seconds / 86_400)} days`;
}

function lastUse(idle: WorkspaceIdle, now: number): string {
  const last = idle.last_use;
  if (!last) return "nothing happens in it";
  const nothing = "nothing was typed, printed, computed or asked of a port since";
  const at = formatTime(last.at, now);
  const place = last.terminal_name ? ` in ${last.terminal_name}` : "";
  switch (last.kind) {
    case "started":
      return `${nothing} it was started at ${at}`;
    case "typed":
      return `${nothing} ${at}, when something was typed${place}`;
    case "printed":
      return `${nothing} ${at}, when something was printed${place}`;
    case "computed":
      return `${nothing} ${at}, when a program computed`;
    case "port":
      return last.port ? `${nothing} ${at}, when port ${last.port} was asked for something` : `${nothing} ${at}`;
  }
}

/** The server's reason, in the time of whoever reads it. */
export function why(idle: WorkspaceIdle, now: number): string {
  if (idle.cause === "shutdown_deadline" && idle.sleeps_at) return `its shutdown deadline is ${formatTime(idle.sleeps_at, now)}, whatever runs then`;
  const keeper = idle.kept_awake_by;
  if (keeper) return `it is kept awake until ${keeper.command ? `\`${keeper.command}\` in ` : ""}${keeper.terminal_name} ends`;
  const until = idle.kept_awake_until;
  if (until && until === idle.sleeps_at) return `it is kept awake until ${formatTime(until, now)}, and ${lastUse(idle, now)}`;
  return lastUse(idle, now);
}

export function isKeptAwake(idle: WorkspaceIdle): boolean {
  return Boolean(idle.kept_awake_by ?? idle.kept_awake_until);
}

/** Whether its owner should be warned. */
export function isAboutToSleep(idle: WorkspaceIdle | null | undefined, now: number): boolean {
  return Boolean(idle?.warns_at) && Date.parse(idle?.warns_at ?? "") <= now;
}

/** Whether it was stopped by itself. */
export function isAsleep(workspace: Pick<Workspace, "state" | "failure_code">): boolean {
  return workspace.state === "stopped" && (workspace.failure_code === "IDLE" || workspace.failure_code === "SHUTDOWN_DEADLINE");
}

/** What a `datetime-local` field shows of a time; empty without one. */
export function toLocalField(iso: string | null | undefined): string {
  if (!iso) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The time that such a field means; empty where it means none. */
export function fromLocalField(text: string): string {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

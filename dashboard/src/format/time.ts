import { plural } from "./quantity";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });
const absolute = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

/** "5 minutes ago". A clock that is a little ahead must not say "in 2 seconds". */
export function formatRelative(at: number, now: number): string {
  const seconds = Math.round((at - now) / 1000);
  const age = Math.abs(seconds);
  if (age < 10 || (seconds > 0 && seconds < 60)) return "just now";
  if (age < MINUTE) return relative.format(Math.trunc(seconds), "second");
  if (age < HOUR) return relative.format(Math.trunc(seconds / MINUTE), "minute");
  if (age < DAY) return relative.format(Math.trunc(seconds / HOUR), "hour");
  if (age < 30 * DAY) return relative.format(Math.trunc(seconds / DAY), "day");
  return day.format(at);
}

/** "23 hours", of what is still to come. Rounded as people do: an hour that has just begun is an hour. */
export function formatLeft(until: number, now: number): string {
  const seconds = Math.max(0, (until - now) / 1000);
  if (seconds < 45) return "less than a minute";
  if (seconds < 59.5 * MINUTE) return plural(Math.round(seconds / MINUTE), "minute");
  return seconds < 36 * HOUR ? plural(Math.round(seconds / HOUR), "hour") : plural(Math.round(seconds / DAY), "day");
}

export function formatAbsolute(at: number): string {
  return absolute.format(at);
}

/** "0.8 s", "42 s", "3 m 05 s", "1 h 02 m". */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < MINUTE) return `${seconds} s`;
  const pad = (value: number) => String(value).padStart(2, "0");
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} m ${pad(seconds % MINUTE)} s`;
  return `${Math.floor(seconds / HOUR)} h ${pad(Math.floor((seconds % HOUR) / MINUTE))} m`;
}

/** The elapsed time of something that runs: whole seconds, so that it ticks evenly. */
export function formatElapsed(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  return ms < MINUTE * 1000 ? `${Math.floor(ms / 1000)} s` : formatDuration(Math.floor(ms / 1000) * 1000);
}

/** Local time of day for log lines, with milliseconds. */
export function formatClock(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "--:--:--.---";
  const pad = (value: number, width = 2) => String(value).padStart(width, "0");
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}

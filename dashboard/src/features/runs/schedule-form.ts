import type { Schedule, SchedulePut } from "@/api/types";

import { formatSpan, parseSpan, scheduleWords } from "./words";

/** A scheduled job as it stands in the inputs. */
export interface ScheduleForm {
  name: string;
  schedule: string;
  command: string;
  timeout: string;
}

/** Names of the server's fields that the form shows. */
export const shownFields = ["name", "schedule", "command", "timeout_seconds"] as const;

const DEFAULT_SECONDS = 3600;

export const emptyForm: ScheduleForm = { name: "", schedule: "", command: "", timeout: "" };

export function fromSchedule({ name, schedule, command, timeout_seconds }: Schedule): ScheduleForm {
  return { name, schedule, command, timeout: timeout_seconds === DEFAULT_SECONDS ? "" : formatSpan(timeout_seconds) };
}

export function timeoutProblem(text: string): string | undefined {
  if (!text.trim()) return undefined;
  const seconds = parseSpan(text);
  return seconds >= 1 && seconds <= 86_400 ? undefined : "Write `30s`, `10m` or `2h`; at most `24h`.";
}

/** What can be seen to be wrong before the server is asked. */
export function problemsOf(form: ScheduleForm): Partial<Record<(typeof shownFields)[number], string>> {
  return {
    name: /^[a-z0-9][a-z0-9_-]{0,31}$/.test(form.name.trim()) ? undefined : "Lower-case letters, digits, `-` and `_`, at most 32.",
    schedule: scheduleWords(form.schedule) ? undefined : "Five fields, such as `0 3 * * *`, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
    command: form.command.trim() ? undefined : "Say what to run.",
    timeout_seconds: timeoutProblem(form.timeout),
  };
}

export function toPut(form: ScheduleForm, enabled: boolean): SchedulePut & { name: string } {
  return {
    name: form.name.trim(),
    schedule: form.schedule.trim(),
    command: form.command.trim(),
    enabled,
    ...(form.timeout.trim() && { timeout_seconds: parseSpan(form.timeout) }),
  };
}

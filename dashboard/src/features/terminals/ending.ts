import type { Exit } from "./link";

const signals: Record<number, string> = { 1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM" };

/** "ended with exit code 0", "was ended by SIGKILL". */
export function endingOf({ code, signal }: Exit): string {
  if (code != null) return `ended with exit code ${code}`;
  if (signal != null) return `was ended by ${signals[signal] ?? `signal ${signal}`}`;
  return "ended";
}

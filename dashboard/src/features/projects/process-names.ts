import type { Plan } from "@/api/types";

/** The processes that a release keeps running: the one that answers visitors, and its workers. */
export function processNames(plan?: Plan | null): string[] {
  if (!plan) return [];
  return [...(plan.run_command ? ["web"] : []), ...(plan.workers ?? []).map(({ name }) => name)];
}

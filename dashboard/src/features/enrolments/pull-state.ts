import type { Enrolment, EnrolmentList, MeshPull } from "@/api/types";
import { formatBytes } from "@/format/quantity";

/** Characters of a model's name that a machine takes. */
const NAME_MAX = 256;

/** Whether it can be told to fetch a model just now. */
export function takesPulls({ state, online, allows_pulls }: Pick<Enrolment, "state" | "online" | "allows_pulls">): boolean {
  return state === "active" && online && allows_pulls;
}

export function isFetching({ pulls }: Pick<Enrolment, "pulls">): boolean {
  return pulls.some(({ state }) => state === "running");
}

/** What is wrong with the name of a model. */
export function nameProblem(name: string): string | undefined {
  const model = name.trim();
  if (!model) return "Give the model's name.";
  if (/\s/.test(model)) return "The name of a model has no spaces.";
  return [...model].length > NAME_MAX ? `At most ${NAME_MAX} characters.` : undefined;
}

/** How far one has come: its bytes, and what is done where they do not tell. */
export function progressText({ completed, total, message }: Pick<MeshPull, "completed" | "total" | "message">): string {
  if (total <= 0) return message || "starting";
  const bytes = `${formatBytes(Math.min(completed, total))} of ${formatBytes(total)}`;
  return completed >= total && message ? `${bytes}, ${message}` : bytes;
}

/** The list with a pull that was just ordered. A model that was fetched before is not there twice. */
export function withPull(list: EnrolmentList, id: string, pull: MeshPull): EnrolmentList {
  const among = (pulls: readonly MeshPull[]) =>
    pulls.some(({ model }) => model === pull.model) ? pulls.map((each) => (each.model === pull.model ? pull : each)) : [...pulls, pull];
  return { ...list, enrolments: list.enrolments.map((each) => (each.id === id ? { ...each, pulls: among(each.pulls) } : each)) };
}

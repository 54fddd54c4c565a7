import type { ModelLimits } from "@/api/types";
import { formatCredits, parseCredits } from "@/format/credits";

/** What a token may ask models at most, as it is typed. What is empty is not limited. */
export interface LimitsForm {
  models: readonly string[];
  perMinute: string;
  credits: string;
}

export const NO_LIMITS: LimitsForm = { models: [], perMinute: "", credits: "" };

const PER_MINUTE_MAX = 100_000;
/** So many models are all named in the list. */
const NAMED = 3;

/** What was typed as requests a minute; undefined when that is no such number. */
export function parsePerMinute(text: string): number | undefined {
  const count = Number(text.trim());
  return /^\d+$/.test(text.trim()) && count >= 1 && count <= PER_MINUTE_MAX ? count : undefined;
}

export function problemsOf({ perMinute, credits }: LimitsForm): Partial<Record<"perMinute" | "credits", string>> {
  return {
    ...(perMinute.trim() && !parsePerMinute(perMinute) && { perMinute: "A whole number from 1 to 100000." }),
    ...(credits.trim() && !parseCredits(credits) && { credits: "An amount above 0 with at most six digits after the point, such as 5 or 0.25." }),
  };
}

/** What is sent of a form without problems; undefined when nothing is limited. */
export function limitsOf({ models, perMinute, credits }: LimitsForm): ModelLimits | undefined {
  const requests = parsePerMinute(perMinute);
  const amount = parseCredits(credits);
  const limits: ModelLimits = {
    ...(models.length > 0 && { models: [...models] }),
    ...(requests && { requests_per_minute: requests }),
    ...(amount && { credits: amount }),
  };
  return Object.keys(limits).length > 0 ? limits : undefined;
}

export function toggleModel(models: readonly string[], model: string, chosen: boolean): string[] {
  const others = models.filter((each) => each !== model);
  return chosen ? [...others, model] : others;
}

/** What can be chosen: what is served now, and what was chosen while it was. */
export function choicesOf(served: readonly string[], chosen: readonly string[]): { model: string; gone: boolean }[] {
  const gone = chosen.filter((model) => !served.includes(model));
  return [...served.map((model) => ({ model, gone: false })), ...gone.map((model) => ({ model, gone: true }))];
}

function modelWords(models: readonly string[]): string {
  if (models.length <= NAMED) return models.join(", ");
  const named = models.slice(0, NAMED - 1);
  return `${named.join(", ")} and ${models.length - named.length} more`;
}

/** "5 credits", "0.25 credits": a limit is not added up, so digits that say nothing are left out. */
function creditWords(microcredits: number): string {
  const amount = formatCredits(microcredits).replace(/\.?0+$/, "");
  return `${amount} ${amount === "1" ? "credit" : "credits"}`;
}

/** "smollm2 · 30 a minute · 5 credits"; empty when nothing is limited. */
export function limitWords({ models, requests_per_minute: perMinute, credits }: ModelLimits): string {
  const words = [models && modelWords(models), perMinute != null && `${perMinute.toLocaleString("en-US")} a minute`, credits != null && creditWords(credits)];
  return words.filter(Boolean).join(" · ");
}

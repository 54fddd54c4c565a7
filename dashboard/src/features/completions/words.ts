import { Ban, CircleCheck, CircleSlash, LoaderCircle, Unplug, type LucideIcon } from "lucide-react";

import type { CompletionCandidate, CompletionChoice, CompletionState } from "@/api/types";
import type { Tone } from "@/ui/Badge";

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
  /** What it means for who pays. */
  meaning: string;
}

export function lookOf(state: CompletionState): Look {
  switch (state) {
    case "held":
      return { word: "Under way", tone: "busy", icon: LoaderCircle, spin: true, meaning: "Credits are set aside for it." };
    case "done":
      return { word: "Done", tone: "good", icon: CircleCheck, meaning: "Answered to its end." };
    case "cancelled":
      return { word: "Stopped", tone: "calm", icon: CircleSlash, meaning: "Whoever asked hung up. What was produced by then is paid." };
    case "broken":
      return { word: "Broken off", tone: "warn", icon: Unplug, meaning: "It broke off. What was produced by then is paid." };
    case "failed":
      return { word: "Failed", tone: "bad", icon: Ban, meaning: "Nothing was produced, and nothing is paid." };
  }
}

/** What the coordinator asks itself is called so; no machine is. */
const OF_THE_COORDINATOR = "coordinator.";

interface Place {
  /** Where it stands alone. */
  label: string;
  /** As part of a sentence. */
  name: string;
  /** Behind what was served there. */
  behind: string;
}

/** Where a completion was served: on a machine, or where the coordinator asks for models itself. */
export function placeOf(nodeId: string): Place {
  if (!nodeId.startsWith(OF_THE_COORDINATOR)) return { label: nodeId, name: nodeId, behind: ` on ${nodeId}` };
  const name = nodeId.slice(OF_THE_COORDINATOR.length);
  if (name === "inference") return { label: "inference service", name: "the inference service", behind: " on the inference service" };
  return { label: `hosted: ${name}`, name, behind: `, hosted: ${name}` };
}

/** Why a machine was out of the question. */
export function refusalOf(refused: string): string {
  switch (refused) {
    case "paused":
      return "Its owner has paused it.";
    case "ejected":
      return "It failed lately and is left out for a while.";
    case "tried":
      return "It was tried before and failed.";
    case "context_too_small":
      return "The prompt and its answer do not fit into its context.";
    default:
      return `Refused: ${refused.replaceAll("_", " ")}.`;
  }
}

/** Seconds until the whole answer was expected. */
export function expectedOf({ queue_seconds, load_seconds, prompt_seconds, answer_seconds }: CompletionCandidate): number {
  return queue_seconds + load_seconds + prompt_seconds + answer_seconds;
}

/** The chosen one first, then by what was expected, then those that were refused. */
export function sortCandidates({ candidates, chosen }: CompletionChoice): CompletionCandidate[] {
  const rank = (candidate: CompletionCandidate) => (candidate.node_id === chosen ? 0 : candidate.refused ? 2 : 1);
  return [...candidates].sort((a, b) => rank(a) - rank(b) || expectedOf(a) - expectedOf(b) || a.node_id.localeCompare(b.node_id));
}

/** "0.42 s", "12.3 s": waiting is felt in tenths, and a choice may be one of hundredths. */
export function formatSeconds(seconds: number): string {
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

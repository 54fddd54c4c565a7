import { asSentence } from "@/api/error";
import type { HostedProviderCheck, HostedProviderKind } from "@/api/types";
import { plural } from "@/format/quantity";

interface KindWords {
  word: string;
  /** Where it is chosen. */
  choice: string;
  /** The company's own address, which is taken where none is given. */
  url: string;
  hint: string;
}

export const kindWords: Record<HostedProviderKind, KindWords> = {
  openai: {
    word: "OpenAI interface",
    choice: "OpenAI-compatible",
    url: "https://api.openai.com",
    hint: "What most companies have. Programs made for OpenAI ask these models, and so does the playground.",
  },
  anthropic: {
    word: "Anthropic interface",
    choice: "Anthropic",
    url: "https://api.anthropic.com",
    hint: "Programs made for Anthropic ask these models. The playground cannot.",
  },
};

export const kinds: readonly HostedProviderKind[] = ["openai", "anthropic"];

/** What came of a check. */
export function checkWords({ ok, message, models }: HostedProviderCheck): string {
  return ok ? `The key works; it has ${plural(models.length, "model")}.` : asSentence(message || "it does not say why it lists no models");
}

import { CircleCheck, CircleX, ListPlus, PlugZap } from "lucide-react";

import { messageOf } from "@/api/error";
import type { HostedProvider } from "@/api/types";
import { Button } from "@/ui/Button";
import { Prose } from "@/ui/Prose";
import { Notice } from "@/ui/states";

import { useCheckProvider } from "./queries";
import { checkWords } from "./words";

interface ProviderCheck {
  ask: () => void;
  asking: boolean;
  /** What came of it: nothing before the first check. */
  result?: { ok: boolean; text: string };
  /** All that the company has, where that is known. */
  models: readonly string[];
  /** What it said holds no more. */
  forget: () => void;
}

/** A check of a provider's key, and what came of it. */
export function useProviderCheck(id: string): ProviderCheck {
  const { mutate, reset, isPending, data, error } = useCheckProvider(id);
  const failed = error ? { ok: false, text: messageOf(error) } : undefined;
  return {
    ask: () => mutate(),
    asking: isPending,
    result: failed ?? (data && { ok: data.ok, text: checkWords(data) }),
    models: data?.ok ? data.models : [],
    forget: reset,
  };
}

export function CheckButton({ check, provider: { name } }: { check: ProviderCheck; provider: HostedProvider }) {
  return (
    <Button size="sm" icon={PlugZap} busy={check.asking} aria-label={`Check ${name}`} onClick={check.ask} data-testid="provider-check">
      Check
    </Button>
  );
}

/** Until the next check. */
export function CheckResult({ check: { result, models }, onChoose }: { check: ProviderCheck; onChoose: () => void }) {
  if (!result) return null;
  const choose = models.length > 0 && (
    <Button size="sm" icon={ListPlus} onClick={onChoose} data-testid="provider-choose">
      See its models
    </Button>
  );
  return (
    <Notice tone={result.ok ? "good" : "bad"} icon={result.ok ? CircleCheck : CircleX} action={choose}>
      <span role={result.ok ? "status" : undefined} data-testid="provider-check-result" data-ok={result.ok}>
        <Prose>{result.text}</Prose>
      </span>
    </Notice>
  );
}

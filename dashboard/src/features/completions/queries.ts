import { useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { isRecord } from "@/api/error";
import { keys } from "@/api/keys";
import type { CompletionExplained, CompletionList } from "@/api/types";
import { LIVE_MS } from "@/features/mesh/queries";

/** The newest hundred, newest first. */
export function useCompletions() {
  return useQuery({
    queryKey: keys.completions,
    queryFn: async ({ signal }) => (await call<CompletionList>("GET", "/mesh/completions", { signal })).completions,
    refetchInterval: LIVE_MS,
  });
}

export function useExplanation(id: string) {
  return useQuery({
    queryKey: keys.completionExplained(id),
    queryFn: ({ signal }) => call<CompletionExplained>("GET", `/v1/explain/${encodeURIComponent(id)}`, { signal }),
    // One that is under way may still get to another machine.
    refetchInterval: (query) => (query.state.data?.completion.state === "held" ? LIVE_MS : false),
  });
}

/** The names of the models that can be asked now. The answer is shaped for other programs, so it is no type of ours. */
export function useModelNames() {
  return useQuery({
    queryKey: keys.meshModels,
    queryFn: async ({ signal }) => {
      const list = await call<{ data?: unknown }>("GET", "/v1/models", { signal });
      const models: unknown[] = Array.isArray(list.data) ? list.data : [];
      return models.flatMap((model) => (isRecord(model) && typeof model.id === "string" ? [model.id] : []));
    },
    refetchInterval: LIVE_MS,
  });
}

import { queryOptions, useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { CompletionExplained, CompletionList } from "@/api/types";
import { LIVE_MS } from "@/features/mesh/queries";

import { modelsOf, namesOf } from "./models";

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

const askableModels = queryOptions({
  queryKey: keys.meshModels,
  queryFn: async ({ signal }) => modelsOf(await call<unknown>("GET", "/v1/models", { signal })),
  refetchInterval: LIVE_MS,
});

/** The models that can be asked now. */
export function useModels() {
  return useQuery(askableModels);
}

export function useModelNames() {
  return useQuery({ ...askableModels, select: namesOf });
}

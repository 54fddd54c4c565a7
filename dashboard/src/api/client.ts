import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";

import { ApiError } from "./error";

declare module "@tanstack/react-query" {
  interface Register {
    queryMeta: {
      /** A 401 is an answer about a link then, not about the session. */
      byLink?: boolean;
    };
    mutationMeta: {
      /** A 401 is an answer about the password then, not about the session. */
      signsIn?: boolean;
    };
  }
}

function mayHelp(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status === 0 || error.status >= 500;
}

export function createQueryClient(onSignedOut: () => void): QueryClient {
  function check(error: unknown) {
    if (error instanceof ApiError && error.status === 401) onSignedOut();
  }
  return new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (!query.meta?.byLink) check(error);
      },
    }),
    mutationCache: new MutationCache({
      onError: (error, _variables, _result, mutation) => {
        if (!mutation.meta?.signsIn) check(error);
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        retry: (count, error) => count < 2 && mayHelp(error),
        retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 4000),
      },
    },
  });
}

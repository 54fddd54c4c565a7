import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { TokenCreate, TokenCreated, TokenList } from "@/api/types";

export function useTokens() {
  return useQuery({
    queryKey: keys.tokens,
    queryFn: async ({ signal }) => (await call<TokenList>("GET", "/tokens", { signal })).tokens,
  });
}

export function useCreateToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: TokenCreate) => call<TokenCreated>("POST", "/tokens", { body }),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.tokens }),
  });
}

export function useRevokeToken() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => call("DELETE", `/tokens/${encodeURIComponent(id)}`),
    onSettled: () => client.invalidateQueries({ queryKey: keys.tokens }),
  });
}

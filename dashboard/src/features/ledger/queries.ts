import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { call } from "@/api/call";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { GrantCreate, LedgerAudit, LedgerEntry, LedgerStatement } from "@/api/types";
import { useMe } from "@/features/auth/queries";
import { LIVE_MS } from "@/features/mesh/queries";
import { isAdmin } from "@/features/nodes/placement";

/** The server goes through all entries for it. */
const AUDIT_MS = 5000;
/** What a browser can well put into one file. */
const MOST_ENTRIES = 200_000;

function readStatement(cursor: string, signal?: AbortSignal): Promise<LedgerStatement> {
  return call<LedgerStatement>("GET", "/mesh/statement", { query: { cursor }, signal });
}

/** What moved on the caller's account, newest first. */
export function useStatement() {
  return useInfiniteQuery({
    queryKey: keys.statement,
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => readStatement(pageParam, signal),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    select: (data) => data.pages.flatMap((page) => page.entries),
    // Who reads far back does not have all of that read again and again.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 1) === 1 ? LIVE_MS : false),
  });
}

/** All of it, for a file. */
export async function readWholeStatement(): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  let cursor = "";
  do {
    const page = await readStatement(cursor);
    entries.push(...page.entries);
    cursor = page.next_cursor ?? "";
  } while (cursor && entries.length < MOST_ENTRIES);
  return entries;
}

/** All accounts, for administrators; nothing for others, who are not told. */
export function useLedger() {
  const { data: me } = useMe();
  return useQuery({
    queryKey: keys.ledger,
    queryFn: ({ signal }) => call<LedgerAudit>("GET", "/mesh/ledger", { signal }),
    enabled: isAdmin(me),
    refetchInterval: (query) => (isForbidden(query.state.error) ? false : AUDIT_MS),
  });
}

/** It is for others. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

export function useGrant() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: GrantCreate) => call<LedgerEntry>("POST", "/mesh/grants", { body }),
    onSuccess: () => {
      for (const queryKey of [keys.mesh, keys.statement, keys.ledger]) void client.invalidateQueries({ queryKey });
    },
  });
}

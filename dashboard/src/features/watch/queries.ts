import { useQuery } from "@tanstack/react-query";

import { call } from "@/api/call";
import { keys } from "@/api/keys";
import type { SharedTerminal } from "@/api/types";

/** In case nothing else says that it ended. */
const LINK_MS = 60_000;

/** What a link shows. Whoever has it needs no session. */
export function useSharedTerminal(secret: string, visit: string) {
  return useQuery({
    queryKey: keys.sharedTerminal(visit),
    queryFn: ({ signal }) => call<SharedTerminal>("GET", "/shared-terminal", { bearer: secret, signal }),
    enabled: secret !== "",
    refetchInterval: LINK_MS,
    staleTime: 0,
    meta: { byLink: true },
  });
}

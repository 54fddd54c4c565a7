import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { isRecord } from "@/api/error";
import { keys, keysTouchedBy, type QueryKey } from "@/api/keys";
import type { ServerEvent } from "@/api/types";

import { openStream } from "./stream";

/** A build sends bursts of events; one reading per burst is enough. */
const GATHER_MS = 150;
/** Shorter interruptions are nobody's business. */
const LOST_AFTER_MS = 2500;

function isEvent(data: unknown): data is ServerEvent {
  return isRecord(data) && typeof data.kind === "string";
}

function createInvalidator(client: QueryClient) {
  const pending = new Map<string, QueryKey>();
  let timer: number | undefined;
  return {
    add(event: ServerEvent) {
      for (const key of keysTouchedBy(event)) pending.set(key.join("/"), key);
      timer ??= window.setTimeout(() => {
        timer = undefined;
        const touched = [...pending.values()];
        pending.clear();
        for (const queryKey of touched) void client.invalidateQueries({ queryKey });
      }, GATHER_MS);
    },
    stop() {
      window.clearTimeout(timer);
    },
  };
}

/** Keeps what is on the screen true for as long as it is mounted, and says whether that works. */
export function useLiveEvents(): { connected: boolean } {
  const client = useQueryClient();
  const [connected, setConnected] = useState(true);

  useEffect(() => {
    const invalidator = createInvalidator(client);
    let opened = false;
    let lostTimer: number | undefined;
    const close = openStream({
      url: () => "/api/events",
      onData: (data) => {
        if (isEvent(data)) invalidator.add(data);
      },
      onState: (state) => {
        if (state === "open") {
          window.clearTimeout(lostTimer);
          lostTimer = undefined;
          setConnected(true);
          // Events of the time in between may never come.
          if (opened) void client.invalidateQueries();
          opened = true;
        } else if (state === "lost") {
          lostTimer ??= window.setTimeout(() => setConnected(false), LOST_AFTER_MS);
          // An EventSource does not say that the session has ended; this request does.
          void client.invalidateQueries({ queryKey: keys.me });
        }
      },
    });
    return () => {
      close();
      invalidator.stop();
      window.clearTimeout(lostTimer);
    };
  }, [client]);

  return { connected };
}

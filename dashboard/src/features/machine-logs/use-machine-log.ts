import { useCallback, useEffect, useRef, useState } from "react";

import { apiUrl, call } from "@/api/call";
import { isRecord } from "@/api/error";
import type { LogLevel, MachineLogEntry, MachineLogPage, UnavailableSource } from "@/api/types";
import { openStream, type StreamState } from "@/live/stream";
import { toast } from "@/ui/toast-store";

/** A log can come in bursts; the page need not paint each line. */
const FLUSH_MS = 80;
const PAGE_LINES = 200;
/** Older ones are let go, to keep the page quick. */
const MAX_LINES = 5000;

export interface MachineLogQuery {
  source: string;
  level: LogLevel;
  search: string;
}

export interface MachineLine {
  key: number;
  entry: MachineLogEntry;
}

interface MachineLog {
  /** Oldest first. */
  lines: readonly MachineLine[];
  unavailable: readonly UnavailableSource[];
  state: StreamState;
  /** What was there before has come. */
  caughtUp: boolean;
  hasOlder: boolean;
  loadingOlder: boolean;
  loadOlder: () => void;
}

function isEntry(data: unknown): data is MachineLogEntry {
  return isRecord(data) && typeof data.message === "string" && typeof data.timestamp === "string";
}

function isUnavailable(data: unknown): data is UnavailableSource {
  return isRecord(data) && typeof data.source === "string" && typeof data.reason === "string";
}

/** The last lines of a machine's logs, those that come while `live`, and older ones when asked for. For one query: another has another component. */
export function useMachineLog(path: string, { source, level, search }: MachineLogQuery, live: boolean): MachineLog {
  const [lines, setLines] = useState<readonly MachineLine[]>([]);
  const [unavailable, setUnavailable] = useState<readonly UnavailableSource[]>([]);
  const [state, setState] = useState<StreamState>("connecting");
  const [caughtUp, setCaughtUp] = useState(false);
  const [cursor, setCursor] = useState<string>();
  const [loadingOlder, setLoadingOlder] = useState(false);
  const lastId = useRef<string>(undefined);
  const firstKey = useRef(0);
  const lastKey = useRef(0);

  useEffect(() => {
    if (!live) return;
    let pending: MachineLine[] = [];
    let timer: number | undefined;
    function flush() {
      timer = undefined;
      const come = pending;
      pending = [];
      setLines((before) => [...before, ...come].slice(-MAX_LINES));
    }
    const close = openStream({
      url: () => apiUrl(`${path}/stream`, { source, level, search, after: lastId.current }),
      onData: (data, id) => {
        lastId.current = id;
        if (!isEntry(data)) return;
        pending.push({ key: ++lastKey.current, entry: data });
        timer ??= window.setTimeout(flush, FLUSH_MS);
      },
      onNamed: {
        begin: (_, id) => {
          lastId.current = id;
          setCursor(id);
        },
        caught_up: (_, id) => {
          lastId.current = id;
          setCaughtUp(true);
        },
        unavailable: (data) => {
          if (isUnavailable(data)) setUnavailable((before) => [...before.filter((it) => it.source !== data.source), data]);
        },
      },
      onState: setState,
    });
    return () => {
      close();
      window.clearTimeout(timer);
      if (pending.length > 0) flush();
    };
  }, [path, source, level, search, live]);

  const loadOlder = useCallback(() => {
    if (cursor === undefined) return;
    setLoadingOlder(true);
    call<MachineLogPage>("GET", path, { query: { source, level, search, limit: PAGE_LINES, cursor } })
      .then((page) => {
        const older = page.entries.map((entry) => ({ key: --firstKey.current, entry })).reverse();
        setLines((before) => [...older, ...before]);
        setCursor(page.next_cursor ?? undefined);
      })
      .catch(toast.error)
      .finally(() => setLoadingOlder(false));
  }, [path, source, level, search, cursor]);

  return { lines, unavailable, state: live ? state : "ended", caughtUp, hasOlder: cursor !== undefined, loadingOlder, loadOlder };
}

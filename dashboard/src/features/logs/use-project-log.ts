import { useCallback, useEffect, useRef, useState } from "react";

import { apiUrl, call } from "@/api/call";
import type { LogLine, LogPage, LogStream } from "@/api/types";
import { openStream, type StreamState } from "@/live/stream";
import { toast } from "@/ui/toast-store";

import { emptyLog, LogBuffer, type LogSnapshot } from "./log-buffer";
import { FLUSH_MS, isLogLine } from "./use-log-stream";

const PAGE_LINES = 1000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 15_000;

/** What of a project's log is wanted, in the API's words. */
export interface ProjectLogQuery {
  search: string;
  /** The server whose processes wrote them; the project's home when absent. */
  node?: string;
  stream?: LogStream;
  since?: string;
  until?: string;
}

interface ProjectLog {
  log: LogSnapshot;
  state: StreamState;
  /** There may be older lines than those shown. */
  hasOlder: boolean;
  loadingOlder: boolean;
  loadOlder: () => void;
}

/**
 * The last lines of a project's log, those that come, and older ones when asked for. What was
 * shown before a change of the query stays until the new lines arrive.
 */
export function useProjectLog(path: string, { search, node, stream, since, until }: ProjectLogQuery): ProjectLog {
  const [log, setLog] = useState<LogSnapshot>(emptyLog);
  const [state, setState] = useState<StreamState>("connecting");
  const [cursor, setCursor] = useState<string>();
  const [loadingOlder, setLoadingOlder] = useState(false);
  const older = useRef<(cursor: string) => Promise<void>>(undefined);

  useEffect(() => {
    const buffer = new LogBuffer();
    const query = { search, node, stream, since, until };
    const aborter = new AbortController();
    let pending: LogLine[] = [];
    let timer: number | undefined;
    let retryTimer: number | undefined;
    let retry = FIRST_RETRY_MS;
    let close: (() => void) | undefined;

    function flush() {
      timer = undefined;
      const lines = pending;
      pending = [];
      setLog(buffer.append(lines));
    }

    function follow(position: string) {
      close = openStream({
        url: () => apiUrl(path, { follow: true, search, node, stream, since, after: buffer.lastId ?? position }),
        onData: (data) => {
          if (!isLogLine(data)) return;
          pending.push(data);
          timer ??= window.setTimeout(flush, FLUSH_MS);
        },
        onState: setState,
      });
    }

    async function begin() {
      try {
        const page = await call<LogPage>("GET", path, { query: { ...query, limit: PAGE_LINES }, signal: aborter.signal });
        if (aborter.signal.aborted) return;
        setLog(buffer.append(page.lines));
        setCursor(page.next_cursor ?? undefined);
        if (page.position != null) follow(page.position);
        else setState("ended");
      } catch (error) {
        if (aborter.signal.aborted) return;
        setState("lost");
        if (retry === FIRST_RETRY_MS) toast.error(error);
        retryTimer = window.setTimeout(() => void begin(), retry);
        retry = Math.min(retry * 2, LAST_RETRY_MS);
      }
    }

    older.current = async (at) => {
      const page = await call<LogPage>("GET", path, { query: { ...query, limit: PAGE_LINES, cursor: at }, signal: aborter.signal });
      if (aborter.signal.aborted) return;
      setLog(buffer.prepend(page.lines));
      setCursor(page.next_cursor ?? undefined);
    };
    void begin();
    return () => {
      aborter.abort();
      close?.();
      window.clearTimeout(timer);
      window.clearTimeout(retryTimer);
      setCursor(undefined);
      setState("connecting");
    };
  }, [path, search, node, stream, since, until]);

  const loadOlder = useCallback(() => {
    if (cursor === undefined || !older.current) return;
    setLoadingOlder(true);
    const done = () => setLoadingOlder(false);
    older.current(cursor).then(done, (error: unknown) => {
      done();
      if (!(error instanceof DOMException)) toast.error(error);
    });
  }, [cursor]);

  return { log, state, hasOlder: cursor !== undefined && log.dropped === 0, loadingOlder, loadOlder };
}

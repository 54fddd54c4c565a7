import { useEffect, useState } from "react";

import { apiUrl } from "@/api/call";
import { isRecord } from "@/api/error";
import type { LogLine } from "@/api/types";
import { openStream, type StreamState } from "@/live/stream";

import { emptyLog, LogBuffer, type LogSnapshot } from "./log-buffer";

/** A build can write thousands of lines per second; the page need not paint each. */
export const FLUSH_MS = 80;

export function isLogLine(data: unknown): data is LogLine {
  return isRecord(data) && typeof data.id === "string" && typeof data.text === "string";
}

interface LogStreamResult {
  log: LogSnapshot;
  state: StreamState;
}

/** Follows a deployment's log. What was shown before a change of `path` stays until the new lines arrive. */
export function useLogStream(path: string): LogStreamResult {
  const [log, setLog] = useState<LogSnapshot>(emptyLog);
  const [state, setState] = useState<StreamState>("connecting");

  useEffect(() => {
    const buffer = new LogBuffer();
    let pending: LogLine[] = [];
    let timer: number | undefined;

    function flush() {
      timer = undefined;
      const lines = pending;
      pending = [];
      setLog(buffer.append(lines));
    }

    const close = openStream({
      url: () => apiUrl(path, { follow: true, after: buffer.lastId }),
      endEvent: "end",
      onData: (data) => {
        if (!isLogLine(data)) return;
        pending.push(data);
        timer ??= window.setTimeout(flush, FLUSH_MS);
      },
      onState: (next) => {
        setState(next);
        if (next !== "connecting" && timer === undefined) timer = window.setTimeout(flush, FLUSH_MS);
      },
    });
    return () => {
      close();
      window.clearTimeout(timer);
    };
  }, [path]);

  return { log, state };
}

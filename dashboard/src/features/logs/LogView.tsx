import { ArrowDownToLine, ArrowUpToLine } from "lucide-react";
import { useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";

import type { StreamState } from "@/live/stream";
import { plural } from "@/format/quantity";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/classes";

import type { LogSnapshot } from "./log-buffer";
import { countMatches, type LogFilter } from "./log-filter";
import { LogLines } from "./LogLines";
import { LogToolbar, useLogOptions } from "./LogToolbar";

interface LogViewProps {
  label: string;
  log: LogSnapshot;
  state: StreamState;
  filter: LogFilter;
  onFilter: (filter: LogFilter) => void;
  onDownload: () => void;
  /** Says why nothing is here when nothing is. */
  empty: ReactNode;
  /** A settled log cannot be paused. */
  live: boolean;
  /** How to get at lines before the first one, while there may be some. */
  older?: { load: () => void; loading: boolean; label: string };
  /** More for the toolbar. */
  tools?: ReactNode;
  testId?: string;
  className?: string;
}

const NEAR_END_PX = 28;

export function LogView({ label, log, state, filter, onFilter, onDownload, empty, live, older, tools, testId, className }: LogViewProps) {
  const [options, setOptions] = useLogOptions();
  const [frozen, setFrozen] = useState<LogSnapshot | null>(null);
  const shown = frozen ?? log;
  const deferredFilter = useDeferredValue(filter);
  const count = useMemo(() => countMatches(shown, deferredFilter), [shown, deferredFilter]);
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const stick = useRef(true);

  function toEnd() {
    stick.current = true;
    setAtEnd(true);
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }

  const first = shown.chunks[0]?.id;
  const before = useRef<{ first: number | undefined; height: number }>({ first, height: 0 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (stick.current) element.scrollTop = element.scrollHeight;
    // Older lines push down what is being read; it stays where it was.
    else if (first !== undefined && before.current.first !== undefined && first < before.current.first) {
      element.scrollTop += element.scrollHeight - before.current.height;
    }
    before.current = { first, height: element.scrollHeight };
  }, [shown, first, deferredFilter, options]);

  // Lines that scroll into sight may turn out taller than they were taken for.
  useEffect(() => {
    if (!content.current) return;
    const observer = new ResizeObserver(() => {
      const element = scroller.current;
      if (stick.current && element) element.scrollTop = element.scrollHeight;
    });
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);

  function loadOlder() {
    // Whoever looks back does not want to be taken to the end.
    stick.current = false;
    setFrozen(null);
    older?.load();
  }

  function onScroll() {
    const element = scroller.current;
    if (!element) return;
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
    stick.current = near;
    setAtEnd(near);
  }

  const filtered = deferredFilter.search !== "" || deferredFilter.stream !== "all";
  const waiting = frozen ? log.count + log.dropped - frozen.count - frozen.dropped : 0;

  return (
    <div className={classes("relative flex min-h-0 flex-col overflow-hidden rounded-xl border border-line bg-surface shadow-card", className)}>
      <LogToolbar
        filter={filter}
        onFilter={onFilter}
        options={options}
        onOptions={setOptions}
        paused={frozen !== null}
        onPause={live ? () => setFrozen(frozen ? null : log) : undefined}
        onDownload={onDownload}
        canDownload={log.count > 0}
        state={state}
        live={live}
        tools={tools}
      />
      <div
        ref={scroller}
        onScroll={onScroll}
        role="log"
        aria-live="off"
        aria-label={label}
        tabIndex={0}
        data-testid={testId}
        className="min-h-0 flex-1 overflow-auto overscroll-contain bg-term py-2 font-mono text-[12.5px] leading-5 focus-visible:-outline-offset-2"
      >
        <div ref={content}>
          {older && (
            <p className="px-3 pb-2 font-sans">
              <Button size="sm" variant="ghost" icon={ArrowUpToLine} busy={older.loading} onClick={loadOlder}>
                {older.label}
              </Button>
            </p>
          )}
          {shown.dropped > 0 && <p className="px-4 py-1 text-faint">{plural(shown.dropped, "older line")} not shown; download the log to read all of it.</p>}
          {shown.chunks.map((chunk) => (
            <LogLines key={chunk.id} lines={chunk.lines} filter={deferredFilter} times={options.times} wrap={options.wrap} />
          ))}
          {count === 0 && (
            <p className="px-4 py-8 text-center font-sans text-[13px] text-faint">{filtered && !older && shown.count > 0 ? "No line matches." : empty}</p>
          )}
        </div>
      </div>
      <footer className="flex h-8 items-center justify-between gap-3 border-t border-line px-3 text-xs text-faint tabular-nums">
        <span>
          {filtered ? `${count} of ${plural(shown.count, "line")}` : plural(shown.count, "line")}
          {waiting > 0 && ` · ${waiting} more since you paused`}
        </span>
        {state === "lost" && <span className="text-warn">Reconnecting…</span>}
      </footer>
      {!atEnd && (
        <Button size="sm" icon={ArrowDownToLine} onClick={toEnd} className="absolute right-4 bottom-11 shadow-pop!">
          Jump to end
        </Button>
      )}
    </div>
  );
}

import { ArrowUpToLine, Pause, Play, Search } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";

import { asSentence } from "@/api/error";
import type { LogLevel, MachineLogEntry, Node } from "@/api/types";
import { useMe } from "@/features/auth/queries";
import { parseAnsi } from "@/features/logs/ansi";
import { plural } from "@/format/quantity";
import { formatAbsolute, formatClock } from "@/format/time";
import type { StreamState } from "@/live/stream";
import { Button, IconButton } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { inputClass } from "@/ui/Field";
import { classes } from "@/ui/classes";

import { useMachineLog, type MachineLine, type MachineLogQuery } from "./use-machine-log";

const TYPING_PAUSE_MS = 350;
const NEAR_END_PX = 28;

const sources = [
  { value: "all", label: "All sources" },
  { value: "agent", label: "NanoScale" },
  { value: "systemd", label: "systemd units" },
  { value: "docker", label: "Containers" },
  { value: "cloud-init", label: "cloud-init" },
];
const levels: { value: LogLevel; label: string }[] = [
  { value: "error", label: "Errors" },
  { value: "warn", label: "Warnings and worse" },
  { value: "info", label: "Information and worse" },
  { value: "debug", label: "Everything" },
];
const sourceNames: Record<string, string> = { agent: "NanoScale", systemd: "systemd", docker: "Docker", "cloud-init": "cloud-init" };

const ink: Record<LogLevel, string> = { error: "text-bad", warn: "text-warn", info: "text-accent-ink", debug: "text-faint" };
const edge: Record<LogLevel, string> = { error: "border-bad/70 bg-bad-wash/40", warn: "border-warn/60", info: "border-transparent", debug: "border-transparent" };

function Line({ entry }: { entry: MachineLogEntry }) {
  const more = Object.entries(entry.metadata ?? {}).map(([name, value]) => `${name}: ${value}`);
  const title = [formatAbsolute(Date.parse(entry.timestamp)), ...more].join("\n");
  return (
    <div title={title} data-testid="machine-log-line" data-level={entry.level} className={classes("flex min-h-5 flex-wrap gap-x-3 border-l-2 pr-4 pl-3 hover:bg-hover/70 sm:flex-nowrap", edge[entry.level])}>
      <time className="shrink-0 text-faint tabular-nums select-none">{formatClock(entry.timestamp)}</time>
      <span className={classes("w-11 shrink-0 select-none", ink[entry.level])}>{entry.level}</span>
      <span className="max-w-40 shrink-0 truncate text-soft sm:w-24">{entry.source}</span>
      <span className="min-w-0 flex-1 basis-full wrap-anywhere whitespace-pre-wrap sm:basis-0">
        {parseAnsi(entry.message).map((segment, index) => (
          <span key={index} className={segment.className || undefined}>
            {segment.text}
          </span>
        ))}
      </span>
    </div>
  );
}

function liveText(state: StreamState, live: boolean): [string, string] {
  if (!live) return ["Paused", "bg-warn"];
  if (state === "open") return ["Live", "bg-good animate-pulse"];
  return state === "lost" ? ["Reconnecting", "bg-warn"] : ["Connecting", "bg-faint"];
}

interface ToolbarProps {
  query: MachineLogQuery;
  onQuery: (query: MachineLogQuery) => void;
  live: boolean;
  onLive: (live: boolean) => void;
}

function Toolbar({ query, onQuery, live, onLive }: ToolbarProps) {
  const select = classes(inputClass, "h-8 w-auto! max-w-full px-2 text-[13px]");
  return (
    <div role="toolbar" aria-label="Logs of the server" className="flex flex-wrap items-center gap-2 border-b border-line px-2 py-1.5">
      <div className="relative min-w-36 flex-1">
        <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-faint" />
        <input
          type="search"
          aria-label="Search the logs"
          placeholder="Search"
          value={query.search}
          onChange={(event) => onQuery({ ...query, search: event.target.value })}
          className="h-8 w-full rounded-lg bg-transparent pr-2 pl-8 hover:bg-hover focus-visible:-outline-offset-2"
        />
      </div>
      <select aria-label="Source" className={select} value={query.source} onChange={(event) => onQuery({ ...query, source: event.target.value })}>
        {sources.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <select
        aria-label="Level"
        className={select}
        value={query.level}
        onChange={(event) => onQuery({ ...query, level: levels.find(({ value }) => value === event.target.value)?.value ?? "info" })}
      >
        {levels.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <IconButton label={live ? "Pause" : "Follow"} icon={live ? Pause : Play} onClick={() => onLive(!live)} />
    </div>
  );
}

/** Its end stays in sight until somebody looks back. */
function Lines({ lines, hasOlder, loadingOlder, loadOlder, empty }: { lines: readonly MachineLine[]; hasOlder: boolean; loadingOlder: boolean; loadOlder: () => void; empty: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const stick = useRef(true);
  const before = useRef({ first: 0, height: 0 });
  const first = lines[0]?.key ?? 0;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    if (stick.current) element.scrollTop = element.scrollHeight;
    else if (first < before.current.first) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { first, height: element.scrollHeight };
  }, [lines, first]);

  // A narrower page has longer lines; the browser then scrolls, and not the reader.
  const width = useRef<number>(undefined);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      width.current = element.clientWidth;
      if (stick.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  return (
    <div
      ref={scroller}
      onScroll={({ currentTarget: it }) => {
        if (it.clientWidth === width.current) stick.current = it.scrollHeight - it.scrollTop - it.clientHeight < NEAR_END_PX;
      }}
      role="log"
      aria-live="off"
      aria-label="What the server logs"
      tabIndex={0}
      data-testid="machine-log"
      className="h-96 overflow-auto overscroll-contain bg-term py-2 font-mono text-[12.5px] leading-5 focus-visible:-outline-offset-2"
    >
      {hasOlder && (
        <p className="px-3 pb-2 font-sans">
          <Button
            size="sm"
            variant="ghost"
            icon={ArrowUpToLine}
            busy={loadingOlder}
            data-testid="machine-log-older"
            onClick={() => {
              // Whoever looks back does not want to be taken to the end.
              stick.current = false;
              loadOlder();
            }}
          >
            Load older lines
          </Button>
        </p>
      )}
      {lines.map(({ key, entry }) => (
        <Line key={key} entry={entry} />
      ))}
      {lines.length === 0 && <p className="px-4 py-8 text-center font-sans text-[13px] text-faint">{empty}</p>}
    </div>
  );
}

function emptyText(caughtUp: boolean, live: boolean, search: string): string {
  if (!caughtUp) return live ? "Opening the logs…" : "Paused.";
  return search === "" ? "Nothing has been logged here yet." : "No line matches in what was looked through so far.";
}

/** What one query gives. */
function Feed({ nodeId, query, live }: { nodeId: string; query: MachineLogQuery; live: boolean }) {
  const log = useMachineLog(`/nodes/${encodeURIComponent(nodeId)}/logs`, query, live);
  const [text, dot] = liveText(log.state, live);
  return (
    <>
      {log.unavailable.length > 0 && (
        <ul data-testid="machine-log-unavailable" className="border-b border-line px-3 py-2 text-[13px] text-soft">
          {log.unavailable.map(({ source, reason }) => (
            <li key={source} className="wrap-anywhere">
              <span className="font-medium">{sourceNames[source] ?? source}</span> cannot be read: {asSentence(reason)}
            </li>
          ))}
        </ul>
      )}
      <Lines
        lines={log.lines}
        hasOlder={log.hasOlder}
        loadingOlder={log.loadingOlder}
        loadOlder={log.loadOlder}
        empty={emptyText(log.caughtUp, live, query.search)}
      />
      <footer className="flex h-8 items-center justify-between gap-3 border-t border-line px-3 text-xs text-faint tabular-nums">
        {plural(log.lines.length, "line")}
        <span data-testid="machine-log-state" className="inline-flex items-center gap-1.5">
          <span aria-hidden className={classes("size-1.5 rounded-full", dot)} />
          {text}
        </span>
      </footer>
    </>
  );
}

function Logs({ node }: { node: Node }) {
  const [query, setQuery] = useState<MachineLogQuery>({ source: "all", level: "info", search: "" });
  const [search, setSearch] = useState("");
  const [live, setLive] = useState(true);
  useEffect(() => {
    const timer = window.setTimeout(() => setSearch(query.search.trim()), TYPING_PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [query.search]);
  return (
    <Panel title="Logs" description="What this server writes beside its projects: NanoScale's own program, its systemd units, containers, and cloud-init.">
      <div className="overflow-hidden rounded-xl border border-line">
        <Toolbar query={query} onQuery={setQuery} live={live} onLive={setLive} />
        <Feed key={`${query.source} ${query.level} ${search}`} nodeId={node.id} query={{ ...query, search }} live={live} />
      </div>
    </Panel>
  );
}

/** What the machine logs; for administrators. */
export function MachineLogs({ node }: { node: Node }) {
  const { data: user } = useMe();
  if (user?.role !== "admin" && user?.role !== "superadmin") return null;
  return <Logs node={node} />;
}

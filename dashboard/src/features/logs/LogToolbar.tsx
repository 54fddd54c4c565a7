import { Clock, Download, Pause, Play, Search, WrapText, X } from "lucide-react";
import { ToggleGroup } from "radix-ui";
import { useState, type ReactNode } from "react";

import type { StreamState } from "@/live/stream";
import { IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";

import type { LogFilter } from "./log-filter";

interface LogOptions {
  times: boolean;
  wrap: boolean;
}

const STORAGE_KEY = "nanoscale-log-options";

function readOptions(): LogOptions {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    // On a phone the times would take half of each line.
    if (stored === null) return { times: window.matchMedia("(min-width: 48rem)").matches, wrap: true };
    return { times: !stored.includes("no-times"), wrap: !stored.includes("no-wrap") };
  } catch {
    return { times: true, wrap: true };
  }
}

/** How this reader likes logs, on every page and the next visit. */
export function useLogOptions(): [LogOptions, (options: LogOptions) => void] {
  const [options, setOptions] = useState(readOptions);
  function change(next: LogOptions) {
    setOptions(next);
    try {
      localStorage.setItem(STORAGE_KEY, [!next.times && "no-times", !next.wrap && "no-wrap"].filter(Boolean).join(" "));
    } catch {
      // Kept for this visit only.
    }
  }
  return [options, change];
}

const streams: { value: LogFilter["stream"]; label: string; title: string }[] = [
  { value: "all", label: "All", title: "Every line" },
  { value: "out", label: "out", title: "Standard output" },
  { value: "err", label: "err", title: "Standard error" },
  { value: "sys", label: "sys", title: "What NanoScale says" },
];

function isStream(value: string): value is LogFilter["stream"] {
  return streams.some((each) => each.value === value);
}

function LiveSign({ state, paused, live }: { state: StreamState; paused: boolean; live: boolean }) {
  const [text, dot] =
    state === "ended" || !live
      ? ["Complete", "bg-faint"]
      : paused
        ? ["Paused", "bg-warn"]
        : state === "open"
          ? ["Live", "bg-good animate-pulse"]
          : state === "lost"
            ? ["Reconnecting", "bg-warn"]
            : ["Connecting", "bg-faint"];
  return (
    <span className="hidden items-center gap-1.5 pr-1 text-xs text-soft sm:inline-flex">
      <span aria-hidden className={classes("size-1.5 rounded-full", dot)} />
      {text}
    </span>
  );
}

interface LogToolbarProps {
  filter: LogFilter;
  onFilter: (filter: LogFilter) => void;
  options: LogOptions;
  onOptions: (options: LogOptions) => void;
  paused: boolean;
  onPause?: () => void;
  onDownload: () => void;
  canDownload: boolean;
  state: StreamState;
  live: boolean;
  tools?: ReactNode;
}

export function LogToolbar({ filter, onFilter, options, onOptions, paused, onPause, onDownload, canDownload, state, live, tools }: LogToolbarProps) {
  return (
    <div role="toolbar" aria-label="Log" className="flex flex-wrap items-center gap-x-2 gap-y-1.5 border-b border-line px-2 py-1.5">
      <div className="relative min-w-36 flex-1">
        <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-faint" />
        <input
          type="search"
          aria-label="Search the log"
          placeholder="Search"
          value={filter.search}
          onChange={(event) => onFilter({ ...filter, search: event.target.value })}
          onKeyDown={(event) => {
            if (event.key === "Escape" && filter.search) onFilter({ ...filter, search: "" });
          }}
          className="h-8 w-full rounded-lg bg-transparent pr-8 pl-8 hover:bg-hover focus-visible:-outline-offset-2 [&::-webkit-search-cancel-button]:hidden"
        />
        {filter.search && (
          <button
            type="button"
            aria-label="Clear the search"
            onClick={() => onFilter({ ...filter, search: "" })}
            className="absolute top-1.5 right-1.5 rounded p-0.5 text-faint hover:text-ink"
          >
            <X aria-hidden className="size-4" />
          </button>
        )}
      </div>
      <LiveSign state={state} paused={paused} live={live} />
      {tools}
      <ToggleGroup.Root
        type="single"
        aria-label="Streams"
        value={filter.stream}
        onValueChange={(value) => {
          if (isStream(value)) onFilter({ ...filter, stream: value });
        }}
        className="flex rounded-lg bg-sunken p-0.5"
      >
        {streams.map(({ value, label, title }) => (
          <ToggleGroup.Item
            key={value}
            value={value}
            aria-label={title}
            title={title}
            className="h-7 rounded-md px-2 text-xs font-medium text-faint hover:text-ink data-[state=on]:bg-surface data-[state=on]:text-ink data-[state=on]:shadow-card dark:data-[state=on]:bg-hover"
          >
            {label}
          </ToggleGroup.Item>
        ))}
      </ToggleGroup.Root>
      <div className="flex items-center">
        <Toggle label="Timestamps" icon={Clock} on={options.times} onToggle={() => onOptions({ ...options, times: !options.times })} />
        <Toggle label="Wrap long lines" icon={WrapText} on={options.wrap} onToggle={() => onOptions({ ...options, wrap: !options.wrap })} />
        {onPause && <IconButton label={paused ? "Resume" : "Pause"} icon={paused ? Play : Pause} onClick={onPause} />}
        <IconButton label="Download the log" icon={Download} onClick={onDownload} disabled={!canDownload} />
      </div>
    </div>
  );
}

function Toggle({ label, icon, on, onToggle }: { label: string; icon: typeof Clock; on: boolean; onToggle: () => void }) {
  return <IconButton label={label} icon={icon} aria-pressed={on} onClick={onToggle} className={on ? "text-accent-ink!" : undefined} />;
}

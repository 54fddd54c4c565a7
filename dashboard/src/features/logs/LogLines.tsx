import { memo } from "react";

import type { LogLine, LogStream } from "@/api/types";
import { formatClock } from "@/format/time";
import { classes } from "@/ui/classes";

import { parseAnsi, plainText } from "./ansi";
import { matches, splitAtHits, type LogFilter } from "./log-filter";

const edge: Record<LogStream, string> = {
  out: "border-transparent",
  err: "border-bad/70 bg-bad-wash/40",
  sys: "border-accent/60",
};

const ink: Record<LogStream, string> = {
  out: "",
  err: "",
  sys: "text-accent-ink",
};

function LineText({ text, search }: { text: string; search: string }) {
  if (search) {
    return splitAtHits(plainText(text), search).map((piece, index) => (index % 2 ? <mark key={index}>{piece}</mark> : piece));
  }
  return parseAnsi(text).map((segment, index) =>
    segment.className ? (
      <span key={index} className={segment.className}>
        {segment.text}
      </span>
    ) : (
      segment.text
    ),
  );
}

const streamNames: Record<LogStream, string> = { out: "standard output", err: "standard error", sys: "NanoScale" };

function Line({ line, search, times, wrap }: { line: LogLine; search: string; times: boolean; wrap: boolean }) {
  return (
    <div
      title={streamNames[line.stream]}
      data-stream={line.stream}
      className={classes("flex min-h-5 gap-3 border-l-2 pr-4 pl-3 hover:bg-hover/70", edge[line.stream], !wrap && "w-max min-w-full")}
    >
      {times && <time title={line.time} className="shrink-0 text-faint tabular-nums select-none">{formatClock(line.time)}</time>}
      <span className={classes(ink[line.stream], wrap ? "min-w-0 flex-1 wrap-anywhere whitespace-pre-wrap" : "whitespace-pre")}>
        <LineText text={line.text} search={search} />
      </span>
    </div>
  );
}

interface LogLinesProps {
  lines: readonly LogLine[];
  filter: LogFilter;
  times: boolean;
  wrap: boolean;
}

/** One chunk. Those out of sight are not laid out. */
export const LogLines = memo(function LogLines({ lines, filter, times, wrap }: LogLinesProps) {
  const shown = lines.filter((line) => matches(line, filter));
  if (shown.length === 0) return null;
  return (
    <div className="[content-visibility:auto]" style={{ containIntrinsicSize: `auto ${shown.length * 20}px` }}>
      {shown.map((line) => (
        <Line key={line.id} line={line} search={filter.search} times={times} wrap={wrap} />
      ))}
    </div>
  );
});

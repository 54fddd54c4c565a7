import type { LogLine, LogStream } from "@/api/types";

import { plainText } from "./ansi";
import type { LogSnapshot } from "./log-buffer";

export interface LogFilter {
  search: string;
  stream: LogStream | "all";
}

export const showAll: LogFilter = { search: "", stream: "all" };

export function matches(line: LogLine, { search, stream }: LogFilter): boolean {
  if (stream !== "all" && line.stream !== stream) return false;
  return search === "" || plainText(line.text).toLowerCase().includes(search.toLowerCase());
}

export function countMatches(snapshot: LogSnapshot, filter: LogFilter): number {
  if (filter.search === "" && filter.stream === "all") return snapshot.count;
  let count = 0;
  for (const chunk of snapshot.chunks) {
    for (const line of chunk.lines) if (matches(line, filter)) count += 1;
  }
  return count;
}

/** Cuts at each place where `search` occurs; every second piece is a hit. */
export function splitAtHits(text: string, search: string): string[] {
  if (search === "") return [text];
  const pieces: string[] = [];
  const lower = text.toLowerCase();
  const needle = search.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(needle); at !== -1; at = lower.indexOf(needle, from)) {
    pieces.push(text.slice(from, at), text.slice(at, at + needle.length));
    from = at + needle.length;
  }
  pieces.push(text.slice(from));
  return pieces;
}

/** For a file: one line each, without colours. */
export function toPlainLog(lines: Iterable<LogLine>): string {
  let text = "";
  for (const line of lines) text += `${line.time} ${line.stream} ${plainText(line.text)}\n`;
  return text;
}


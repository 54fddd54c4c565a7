import { call, callText } from "@/api/call";
import { isRecord } from "@/api/error";
import type { LogLine, LogPage } from "@/api/types";
import { saveFile } from "@/ui/save-file";

import { toPlainLog } from "./log-filter";

function parseJsonLines(text: string): LogLine[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as unknown)
    .filter((line): line is LogLine => isRecord(line) && typeof line.text === "string");
}

type Query = Record<string, string | number | undefined>;

/** A deployment's whole log, more of it than the page holds. */
export async function downloadLog(path: string, name: string): Promise<void> {
  saveFile(name, toPlainLog(parseJsonLines(await callText(path))));
}

/** The most that one request gives. */
const PAGE_LINES = 10_000;
/** What a browser can well put into one file. */
const MOST_LINES = 500_000;

/** A project's log as far back as it is kept. */
export async function downloadProjectLog(path: string, name: string, query: Query): Promise<void> {
  const pages: LogLine[][] = [];
  let count = 0;
  let cursor: string | undefined;
  do {
    const page = await call<LogPage>("GET", path, { query: { ...query, limit: PAGE_LINES, cursor } });
    pages.unshift(page.lines);
    count += page.lines.length;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && count < MOST_LINES);
  saveFile(name, toPlainLog(pages.flat()));
}

import { callText } from "@/api/call";
import { isRecord } from "@/api/error";
import type { LogLine } from "@/api/types";

import { toPlainLog } from "./log-filter";

function parseJsonLines(text: string): LogLine[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as unknown)
    .filter((line): line is LogLine => isRecord(line) && typeof line.text === "string");
}

function save(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** The whole log, more of it than the page holds. */
export async function downloadLog(path: string, name: string, query?: Record<string, string | number>): Promise<void> {
  save(name, toPlainLog(parseJsonLines(await callText(path, query))));
}

import type { LedgerEntry } from "@/api/types";
import { plainCredits } from "@/format/credits";

const HEAD = ["time", "transaction", "kind", "credits", "balance", "completion", "reason"];

/** Text that a person wrote: spreadsheets take what begins like this for a formula. */
function harmless(text: string): string {
  return /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

/** RFC 4180. */
function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** A statement for spreadsheets, in the order that it is given in. */
export function statementCsv(entries: readonly LedgerEntry[]): string {
  const rows = entries.map(({ created_at, transaction_id, kind, amount, balance, completion_id, reason }) => [
    created_at,
    transaction_id,
    kind,
    plainCredits(amount),
    plainCredits(balance),
    completion_id ?? "",
    harmless(reason ?? ""),
  ]);
  return [HEAD, ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

import { Download } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { LedgerEntry } from "@/api/types";
import { formatCredits, formatMovement } from "@/format/credits";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { classes } from "@/ui/classes";
import { RelativeTime } from "@/ui/RelativeTime";
import { saveFile } from "@/ui/save-file";
import { Loading, Notice, Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { readWholeStatement, useStatement } from "./queries";
import { statementCsv } from "./statement-csv";

function wordOf({ kind, amount }: LedgerEntry): string {
  switch (kind) {
    case "grant":
      return amount < 0 ? "Granted to somebody" : "Granted";
    case "hold":
      return "Set aside for a completion";
    case "settle":
      return "Settled";
    default:
      return kind;
  }
}

function Row({ entry }: { entry: LedgerEntry }) {
  const { amount, balance, completion_id, reason, created_at } = entry;
  return (
    <li data-testid="entry" data-kind={entry.kind} className="flex items-start justify-between gap-4 py-2.5">
      <div className="min-w-0">
        <p>
          {wordOf(entry)}
          {reason && <span className="wrap-anywhere text-soft">: {reason}</span>}
        </p>
        <p className="text-[13px] text-faint">
          <RelativeTime at={created_at} />
          {completion_id && (
            <>
              {" "}
              · <span className="font-mono text-xs wrap-anywhere">{completion_id}</span>
            </>
          )}
        </p>
      </div>
      <div className="shrink-0 text-right tabular-nums">
        <p className={classes("font-medium", amount > 0 && "text-good")}>{formatMovement(amount)}</p>
        <p className="text-[13px] text-faint">
          <span className="sr-only">balance </span>
          {formatCredits(balance)}
        </p>
      </div>
    </li>
  );
}

function ExportButton() {
  const [busy, setBusy] = useState(false);
  async function save() {
    setBusy(true);
    try {
      saveFile(`statement-${new Date().toISOString().slice(0, 10)}.csv`, statementCsv(await readWholeStatement()), "text/csv");
    } catch (error) {
      toast.error(error);
    } finally {
      setBusy(false);
    }
  }
  return (
    <Button size="sm" icon={Download} busy={busy} onClick={() => void save()} data-testid="export-csv">
      Export CSV
    </Button>
  );
}

/** What moved on the reader's account. */
export function Statement() {
  const { data: entries, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useStatement();
  return (
    <Panel title="Statement" description="Each movement on your account, and what it left." actions={entries && entries.length > 0 && <ExportButton />}>
      {!entries && error && (
        <Notice
          tone="bad"
          action={
            <Button size="sm" onClick={() => void refetch()}>
              Try again
            </Button>
          }
        >
          {messageOf(error)}
        </Notice>
      )}
      {!entries && !error && (
        <Loading label="Loading the statement">
          <Skeleton className="h-12" />
        </Loading>
      )}
      {entries?.length === 0 && <p className="text-soft">Nothing moved on your account yet.</p>}
      {entries && entries.length > 0 && (
        <ul className="-my-2.5 divide-y divide-line">
          {entries.map((entry) => (
            <Row key={`${entry.transaction_id} ${entry.amount} ${entry.balance}`} entry={entry} />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <Button className="mx-auto mt-4 flex" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Older entries
        </Button>
      )}
    </Panel>
  );
}

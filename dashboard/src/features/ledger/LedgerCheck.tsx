import { CircleCheck, TriangleAlert } from "lucide-react";

import { messageOf } from "@/api/error";
import type { LedgerAccount, LedgerAudit } from "@/api/types";
import { formatCredits } from "@/format/credits";
import { plural } from "@/format/quantity";
import { Panel } from "@/ui/Card";
import { classes } from "@/ui/classes";
import { Notice } from "@/ui/states";

import { isForbidden, useLedger } from "./queries";

const words: Record<string, string> = {
  held: "Set aside for completions under way",
  fee: "The coordinator's part",
  issued: "Granted, over all time",
};

function nameOf({ account, username }: LedgerAccount): string {
  return username ?? words[account] ?? account;
}

function Verdict({ ledger: { sum, wrong, open_completions } }: { ledger: LedgerAudit }) {
  const good = sum === 0 && wrong === 0;
  return (
    <div data-testid="ledger-verdict" data-good={good}>
      <Notice tone={good ? "good" : "bad"} icon={good ? CircleCheck : TriangleAlert}>
        <span className="font-medium">{good ? "The ledger adds up." : "The ledger does not add up."}</span> All entries come to {formatCredits(sum)}
        {wrong > 0 && `, and ${plural(wrong, "transaction or account is", "transactions or accounts are")} wrong`}. {plural(open_completions, "completion")}{" "}
        {open_completions === 1 ? "is" : "are"} not settled yet.
      </Notice>
    </div>
  );
}

function Accounts({ accounts }: { accounts: LedgerAccount[] }) {
  return (
    <table className="-mb-2 w-full">
      <thead>
        <tr className="border-b border-line text-xs text-faint">
          <th scope="col" className="pb-1.5 text-left font-normal">
            Account
          </th>
          <th scope="col" className="pb-1.5 pl-4 text-right font-normal">
            Balance
          </th>
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {accounts.map((each) => (
          <tr key={each.account} data-testid="account" data-account={each.account}>
            <td className="py-2">
              <span className="wrap-anywhere">{nameOf(each)}</span>
              {nameOf(each) !== each.account && <span className="block font-mono text-xs wrap-anywhere text-faint">{each.account}</span>}
            </td>
            <td className={classes("py-2 pl-4 text-right whitespace-nowrap tabular-nums", each.balance < 0 && "text-soft")}>{formatCredits(each.balance)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Whether no credit was lost or made up. For administrators; others see nothing of it. */
export function LedgerCheck() {
  const { data: ledger, error } = useLedger();
  if (!ledger) return error && !isForbidden(error) ? <Notice tone="bad">{messageOf(error)}</Notice> : null;
  return (
    <Panel title="Ledger" description="Credits only move from account to account, so all of them together are nothing.">
      <div className="flex flex-col gap-4">
        <Verdict ledger={ledger} />
        <Accounts accounts={ledger.accounts} />
      </div>
    </Panel>
  );
}

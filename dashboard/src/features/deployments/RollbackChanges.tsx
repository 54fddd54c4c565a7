import { Minus, PencilLine, Plus } from "lucide-react";

import { messageOf } from "@/api/error";
import type { ReleaseChange, RollbackPlan } from "@/api/types";
import { Loading, Notice, Skeleton } from "@/ui/states";

import { subjectOf, valuesOf } from "./release-change";

const signs = {
  added: { icon: Plus, word: "Added", tone: "text-good" },
  removed: { icon: Minus, word: "Removed", tone: "text-bad" },
  changed: { icon: PencilLine, word: "Changed", tone: "text-warn" },
} as const;

function Change({ change }: { change: ReleaseChange }) {
  const { icon: Icon, word, tone } = signs[change.change];
  return (
    <li className="flex items-start gap-2 px-3 py-2">
      <Icon aria-label={word} className={`mt-0.5 size-3.5 shrink-0 ${tone}`} />
      <div className="min-w-0">
        <span className="font-medium">{subjectOf(change)}</span> <span className="font-mono text-xs wrap-anywhere text-soft">{valuesOf(change)}</span>
        {change.note && <p className="text-xs text-faint">{change.note}</p>}
      </div>
    </li>
  );
}

/** What a rollback would change beside the code, and what it leaves. Somebody who cannot see it may still go back. */
export function RollbackChanges({ plan, error }: { plan?: RollbackPlan; error: Error | null }) {
  if (error) return <Notice tone="warn">{messageOf(error)}</Notice>;
  if (!plan) {
    return (
      <Loading label="Comparing the releases" className="flex flex-col gap-2">
        <Skeleton className="h-8" />
        <Skeleton className="h-8" />
      </Loading>
    );
  }
  return (
    <div className="flex flex-col gap-3 text-[13px]" data-testid="rollback-changes">
      {plan.changes.length === 0 ? (
        <p className="text-soft">No difference but the code.</p>
      ) : (
        <ul aria-label="What changes" className="max-h-[38vh] divide-y divide-line overflow-y-auto rounded-lg border border-line">
          {plan.changes.map((change) => (
            <Change key={change.what} change={change} />
          ))}
        </ul>
      )}
      {plan.notes.map((note) => (
        <p key={note} className="text-faint">
          {note}
        </p>
      ))}
    </div>
  );
}

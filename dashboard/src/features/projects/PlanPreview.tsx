import { Check, ScanSearch } from "lucide-react";

import { messageOf } from "@/api/error";
import type { Plan } from "@/api/types";
import { Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Prose } from "@/ui/Prose";
import { Loading, Notice, Skeleton } from "@/ui/states";

import { PlanCommands, planKind } from "./PlanSummary";

interface PlanPreviewProps {
  plan?: Plan;
  pending: boolean;
  error: unknown;
  onAsk: () => void;
  canAsk: boolean;
}

export function PlanPreview({ plan, pending, error, onAsk, canAsk }: PlanPreviewProps) {
  return (
    <Card aria-label="Plan" className="p-4">
      <div className="flex items-center justify-between gap-3">
        <h2 className="text-[15px] font-semibold">What will happen</h2>
        {plan && !pending && <Chip>{planKind(plan)}</Chip>}
      </div>
      <div aria-live="polite" className="mt-3">
        {pending ? (
          <Loading label="Looking at the repository" className="flex flex-col gap-2">
            <Skeleton className="h-4 w-4/5" />
            <Skeleton className="h-4 w-3/5" />
            <Skeleton className="h-4 w-2/3" />
          </Loading>
        ) : error ? (
          <Notice tone="warn">{messageOf(error)}</Notice>
        ) : plan ? (
          <div className="flex flex-col gap-4">
            <ul className="flex flex-col gap-1.5 text-[13px] text-soft">
              {plan.reasons.map((reason) => (
                <li key={reason} className="flex gap-2">
                  <Check aria-hidden className="mt-0.5 size-3.5 shrink-0 text-good" />
                  <span className="min-w-0">
                    <Prose>{reason}</Prose>
                  </span>
                </li>
              ))}
            </ul>
            <PlanCommands plan={plan} />
          </div>
        ) : (
          <p className="text-[13px] text-faint">NanoScale looks at the repository and says here how it would build and run it, before anything is made.</p>
        )}
      </div>
      <Button size="sm" icon={ScanSearch} className="mt-4" disabled={!canAsk || pending} onClick={onAsk}>
        {plan || error ? "Look again" : "Look at the repository"}
      </Button>
    </Card>
  );
}

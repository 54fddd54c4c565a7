import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import { Card } from "./Card";

interface StatProps {
  icon: LucideIcon;
  label: string;
  value: ReactNode;
  detail: string;
  testId?: string;
}

/** One number that matters. */
export function Stat({ icon: Icon, label, value, detail, testId }: StatProps) {
  return (
    <Card className="p-4">
      <p className="flex items-center gap-1.5 text-[13px] text-faint">
        <Icon aria-hidden className="size-3.5" /> {label}
      </p>
      <p className="mt-1 text-xl font-semibold tracking-tight wrap-anywhere tabular-nums" data-testid={testId}>
        {value}
      </p>
      <p className="truncate text-xs text-faint tabular-nums" title={detail}>
        {detail}
      </p>
    </Card>
  );
}

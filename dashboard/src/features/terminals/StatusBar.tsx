import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import { classes } from "@/ui/classes";

interface StatusBarProps {
  icon: LucideIcon;
  tone?: "calm" | "warn" | "bad";
  children: ReactNode;
  actions?: ReactNode;
}

const tones = { calm: "bg-sunken text-soft", warn: "bg-warn-wash text-warn", bad: "bg-bad-wash text-bad" };

/** What is to be known of a terminal, above or below it. */
export function StatusBar({ icon: Icon, tone = "calm", children, actions }: StatusBarProps) {
  return (
    <div role="status" className={classes("flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 border-line px-3 py-1 text-[13px] not-last:border-b last:border-t", tones[tone])}>
      <span className="flex min-w-0 flex-1 items-center gap-2">
        <Icon aria-hidden className="size-4 shrink-0" />
        <span className="min-w-0 wrap-anywhere">{children}</span>
      </span>
      {actions}
    </div>
  );
}

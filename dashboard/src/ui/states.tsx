import { CloudOff, RotateCw, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import { messageOf } from "@/api/error";

import { Button } from "./Button";
import { classes } from "./classes";
import { Prose } from "./Prose";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={classes("animate-sheen rounded-md bg-hover", className)} />;
}

/** Stands in for content that is on its way, and says so to a screen reader. */
export function Loading({ label, children, className }: { label: string; children: ReactNode; className?: string }) {
  return (
    <div role="status" aria-label={label} className={className}>
      {children}
    </div>
  );
}

export function ErrorState({ error, title = "This could not be loaded", onRetry }: { error: unknown; title?: string; onRetry?: () => void }) {
  return (
    <div role="alert" className="flex flex-col items-center gap-3 rounded-xl border border-line bg-surface px-6 py-12 text-center shadow-card">
      <CloudOff aria-hidden className="size-7 text-bad" />
      <div>
        <h2 className="text-[15px] font-semibold">{title}</h2>
        <p className="mx-auto mt-1 max-w-prose text-soft">
          <Prose>{messageOf(error)}</Prose>
        </p>
      </div>
      {onRetry && (
        <Button icon={RotateCw} onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

interface EmptyStateProps {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}

export function EmptyState({ icon: Icon, title, children, actions }: EmptyStateProps) {
  return (
    <div className="flex flex-col items-center gap-3 rounded-xl border border-dashed border-line-strong px-6 py-12 text-center">
      <span className="grid size-11 place-items-center rounded-xl bg-accent-wash text-accent-ink">
        <Icon aria-hidden className="size-5" />
      </span>
      <div>
        <h2 className="text-[15px] font-semibold">{title}</h2>
        {children && <div className="mx-auto mt-1 max-w-prose text-soft">{children}</div>}
      </div>
      {actions && <div className="mt-1 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

/** A sentence in a box, above or below what it speaks of. */
export function Notice({ tone = "calm", icon: Icon, children, action }: { tone?: "calm" | "good" | "bad" | "warn" | "busy"; icon?: LucideIcon; children: ReactNode; action?: ReactNode }) {
  const tones = {
    calm: "border-line bg-sunken text-soft",
    good: "border-good/30 bg-good-wash text-good",
    bad: "border-bad/30 bg-bad-wash text-bad",
    warn: "border-warn/30 bg-warn-wash text-warn",
    busy: "border-accent/25 bg-accent-wash text-accent-ink",
  };
  return (
    <div role={tone === "bad" ? "alert" : undefined} className={classes("flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg border px-3 py-2 text-[13px]", tones[tone])}>
      <div className="flex min-w-0 flex-1 basis-52 items-start gap-2">
        {Icon && <Icon aria-hidden className="mt-0.5 size-4 shrink-0" />}
        <div className="min-w-0 wrap-anywhere">{typeof children === "string" ? <Prose>{children}</Prose> : children}</div>
      </div>
      {action}
    </div>
  );
}

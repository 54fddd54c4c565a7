import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import { classes } from "./classes";

export type Tone = "good" | "busy" | "warn" | "bad" | "calm";

const tones: Record<Tone, string> = {
  good: "bg-good-wash text-good",
  busy: "bg-accent-wash text-accent-ink",
  warn: "bg-warn-wash text-warn",
  bad: "bg-bad-wash text-bad",
  calm: "bg-hover text-soft",
};

export const toneText: Record<Tone, string> = {
  good: "text-good",
  busy: "text-accent-ink",
  warn: "text-warn",
  bad: "text-bad",
  calm: "text-faint",
};

interface BadgeProps {
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
  children: ReactNode;
  "data-testid"?: string;
  "data-state"?: string;
}

/** Colour, icon and word: no status is told by colour alone. */
export function Badge({ tone, icon: Icon, spin, children, ...rest }: BadgeProps) {
  return (
    <span
      className={classes("inline-flex h-6 shrink-0 items-center gap-1.5 rounded-full pr-2.5 pl-2 text-xs font-medium whitespace-nowrap", tones[tone])}
      {...rest}
    >
      <Icon aria-hidden className={classes("size-3.5", spin && "animate-spin")} />
      {children}
    </span>
  );
}

/** A neutral word, such as the kind of a plan. */
export function Chip({ children, title }: { children: ReactNode; title?: string }) {
  return (
    <span title={title} className="inline-flex h-5 items-center gap-1 rounded border border-line bg-sunken px-1.5 text-xs font-normal whitespace-nowrap text-soft">
      {children}
    </span>
  );
}

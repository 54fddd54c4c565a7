import type { ComponentProps, ReactNode } from "react";

import { classes } from "./classes";

export function Card({ className, ...rest }: ComponentProps<"section">) {
  return <section className={classes("min-w-0 rounded-xl border border-line bg-surface shadow-card", className)} {...rest} />;
}

interface PanelProps {
  title: string;
  description?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
  tone?: "plain" | "bad";
}

/** A card with a heading. */
export function Panel({ title, description, actions, children, className, tone = "plain" }: PanelProps) {
  return (
    <Card className={classes(tone === "bad" && "border-bad/35!", className)}>
      <header className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-4 pt-3.5 sm:px-5">
        <div className="min-w-0">
          <h2 className="text-[15px] font-semibold">{title}</h2>
          {description && <p className="mt-0.5 max-w-2xl text-[13px] text-faint">{description}</p>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      <div className="px-4 pt-3 pb-4 sm:px-5">{children}</div>
    </Card>
  );
}

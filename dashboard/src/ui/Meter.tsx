import { formatPercent } from "@/format/quantity";

import { classes } from "./classes";

interface MeterProps {
  label: string;
  percent: number;
  /** What the bar stands for in words, such as "3.2 GB of 8 GB". */
  detail: string;
}

export function Meter({ label, percent, detail }: MeterProps) {
  const colour = percent >= 92 ? "bg-bad" : percent >= 78 ? "bg-warn" : "bg-accent";
  return (
    <div className="min-w-0">
      <div className="flex items-baseline justify-between gap-2 text-[13px]">
        <span className="text-faint">{label}</span>
        <span className="font-medium tabular-nums">{formatPercent(percent)}</span>
      </div>
      <div
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(percent)}
        aria-valuetext={detail}
        className="mt-1.5 h-1.5 overflow-hidden rounded-full bg-hover"
      >
        <div className={classes("h-full rounded-full transition-[width] duration-500", colour)} style={{ width: `${Math.max(percent, 1.5)}%` }} />
      </div>
      <p className="mt-1 text-xs text-faint tabular-nums">{detail}</p>
    </div>
  );
}

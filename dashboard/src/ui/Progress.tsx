import { percentOf } from "@/format/quantity";

interface ProgressProps {
  label: string;
  completed: number;
  /** Not known where it is 0. */
  total: number;
  /** How far it has come in words, such as "1.2 GB of 2.5 GB". */
  detail: string;
}

/** How much of something is done, which ends once all is. */
export function Progress({ label, completed, total, detail }: ProgressProps) {
  const percent = percentOf(completed, total);
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={total > 0 ? Math.floor(percent) : undefined}
      aria-valuetext={detail}
      className="h-1.5 overflow-hidden rounded-full bg-hover"
    >
      {total > 0 ? (
        <div className="h-full rounded-full bg-accent transition-[width] duration-500" style={{ width: `${Math.max(percent, 1.5)}%` }} />
      ) : (
        <div className="h-full w-1/3 animate-slide-bar rounded-full bg-accent" />
      )}
    </div>
  );
}

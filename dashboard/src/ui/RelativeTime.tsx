import { formatAbsolute, formatElapsed, formatRelative } from "@/format/time";
import { useNow } from "@/live/now";

export function RelativeTime({ at, className }: { at: string; className?: string }) {
  const now = useNow("slow");
  const time = Date.parse(at);
  if (Number.isNaN(time)) return null;
  return (
    <time dateTime={at} title={formatAbsolute(time)} className={className}>
      {formatRelative(time, now)}
    </time>
  );
}

/** Counts up while something runs. */
export function Elapsed({ since, className }: { since: number; className?: string }) {
  const now = useNow();
  return <span className={className}>{formatElapsed(now - since)}</span>;
}

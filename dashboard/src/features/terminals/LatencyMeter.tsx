import { useSyncExternalStore } from "react";

import { classes } from "@/ui/classes";

import type { Session } from "./session";

/** How long a message takes there and back. Asks again when it is clicked. */
export function LatencyMeter({ session }: { session: Session }) {
  const { latency, link } = useSyncExternalStore(session.subscribe, session.read);
  if (link === "ended") return null;
  const open = link === "open" && latency !== undefined;
  const tone = !open ? "bg-line-strong" : latency < 80 ? "bg-good" : latency < 250 ? "bg-warn" : "bg-bad";
  const text = !open ? "–" : latency < 10 ? `${Math.max(1, Math.round(latency))} ms` : `${Math.round(latency)} ms`;
  return (
    <button
      type="button"
      onClick={() => session.ping()}
      title="How long a key takes to the terminal's machine and back. Click to measure again."
      aria-label={open ? `Latency: ${text}` : "Latency: not known"}
      data-testid="latency"
      className="flex h-7 shrink-0 items-center gap-1.5 rounded-md px-1.5 text-xs text-faint tabular-nums hover:bg-hover"
    >
      <span aria-hidden className={classes("size-2 rounded-full", tone)} />
      {text}
    </button>
  );
}

import { CircleCheck, CircleX, LoaderCircle, RotateCw, type LucideIcon } from "lucide-react";

import { Badge, type Tone } from "@/ui/Badge";

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
}

const looks: Record<string, Look> = {
  starting: { word: "Starting", tone: "busy", icon: LoaderCircle, spin: true },
  ready: { word: "Running", tone: "good", icon: CircleCheck },
  restarting: { word: "Restarting", tone: "warn", icon: RotateCw },
  failed: { word: "Failed", tone: "bad", icon: CircleX },
  draining: { word: "Stopping", tone: "calm", icon: LoaderCircle, spin: true },
};

/** What a machine says of a process; without a state it does not have it. */
export function WorkloadStateBadge({ state, testId = "process-state" }: { state?: string; testId?: string }) {
  const look = (state !== undefined && looks[state]) || { word: state ?? "Not running", tone: "calm" as const, icon: CircleX };
  return (
    <Badge tone={look.tone} icon={look.icon} spin={look.spin} data-testid={testId} data-state={state}>
      {look.word}
    </Badge>
  );
}

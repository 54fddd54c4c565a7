import { Ban, CircleCheck, CircleHelp, CircleX, LoaderCircle, SkipForward, type LucideIcon } from "lucide-react";

import type { RunState } from "@/api/types";
import { Badge, type Tone } from "@/ui/Badge";

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
}

const looks: Record<RunState, Look> = {
  running: { word: "Running", tone: "busy", icon: LoaderCircle, spin: true },
  succeeded: { word: "Succeeded", tone: "good", icon: CircleCheck },
  failed: { word: "Failed", tone: "bad", icon: CircleX },
  cancelled: { word: "Stopped", tone: "calm", icon: Ban },
  lost: { word: "Lost", tone: "warn", icon: CircleHelp },
  skipped: { word: "Skipped", tone: "calm", icon: SkipForward },
};

export function RunStateBadge({ state }: { state: RunState }) {
  const { word, tone, icon, spin } = looks[state];
  return (
    <Badge tone={tone} icon={icon} spin={spin} data-testid="run-state" data-state={state}>
      {word}
    </Badge>
  );
}

import { CircleCheck, CirclePause, CircleX, LoaderCircle, TriangleAlert, type LucideIcon } from "lucide-react";

import { Badge, type Tone } from "@/ui/Badge";

import type { WorkspaceState } from "@/api/types";

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
}

const looks: Record<WorkspaceState, Look> = {
  creating: { word: "Starting", tone: "busy", icon: LoaderCircle, spin: true },
  running: { word: "Running", tone: "good", icon: CircleCheck },
  recovery: { word: "Recovery", tone: "warn", icon: TriangleAlert },
  stopping: { word: "Stopping", tone: "busy", icon: LoaderCircle, spin: true },
  stopped: { word: "Stopped", tone: "calm", icon: CirclePause },
  error: { word: "Failed", tone: "bad", icon: CircleX },
  deleting: { word: "Deleting", tone: "busy", icon: LoaderCircle, spin: true },
};

export function WorkspaceStateBadge({ state }: { state: WorkspaceState }) {
  const { word, tone, icon, spin } = looks[state];
  return (
    <Badge tone={tone} icon={icon} spin={spin} data-testid="workspace-state" data-state={state}>
      {word}
    </Badge>
  );
}

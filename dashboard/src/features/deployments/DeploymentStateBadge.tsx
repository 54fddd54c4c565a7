import { Archive, CircleCheck, CircleSlash, CircleX, Clock3, LoaderCircle, SkipForward, type LucideIcon } from "lucide-react";

import type { DeploymentState, Trigger } from "@/api/types";
import { Badge, type Tone } from "@/ui/Badge";

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
}

export const deploymentLooks: Record<DeploymentState, Look> = {
  queued: { word: "Queued", tone: "calm", icon: Clock3 },
  building: { word: "Building", tone: "busy", icon: LoaderCircle, spin: true },
  starting: { word: "Starting", tone: "busy", icon: LoaderCircle, spin: true },
  live: { word: "Live", tone: "good", icon: CircleCheck },
  retired: { word: "Retired", tone: "calm", icon: Archive },
  failed: { word: "Failed", tone: "bad", icon: CircleX },
  cancelled: { word: "Cancelled", tone: "calm", icon: CircleSlash },
  superseded: { word: "Superseded", tone: "calm", icon: SkipForward },
};

export const triggerWords: Record<Trigger, string> = {
  create: "First deployment",
  manual: "By hand",
  upload: "Upload",
  rollback: "Rollback",
};

export function DeploymentStateBadge({ state, testId = "deployment-state" }: { state: DeploymentState; testId?: string }) {
  const { word, tone, icon, spin } = deploymentLooks[state];
  return (
    <Badge tone={tone} icon={icon} spin={spin} data-testid={testId} data-state={state}>
      {word}
    </Badge>
  );
}

import { CircleCheck, CircleDashed, CircleX, LoaderCircle, TriangleAlert, type LucideIcon } from "lucide-react";

import type { ProjectStatus } from "@/api/types";
import { Badge, toneText, type Tone } from "@/ui/Badge";
import { classes } from "@/ui/classes";

interface Look {
  word: string;
  tone: Tone;
  icon: LucideIcon;
  spin?: boolean;
}

const looks: Record<ProjectStatus, Look> = {
  empty: { word: "Not deployed", tone: "calm", icon: CircleDashed },
  deploying: { word: "Deploying", tone: "busy", icon: LoaderCircle, spin: true },
  live: { word: "Live", tone: "good", icon: CircleCheck },
  down: { word: "Down", tone: "warn", icon: TriangleAlert },
  failed: { word: "Failed", tone: "bad", icon: CircleX },
  deleting: { word: "Deleting", tone: "calm", icon: LoaderCircle, spin: true },
};

export function ProjectStatusBadge({ status }: { status: ProjectStatus }) {
  const { word, tone, icon, spin } = looks[status];
  return (
    <Badge tone={tone} icon={icon} spin={spin} data-testid="project-status" data-state={status}>
      {word}
    </Badge>
  );
}

/** Where there is room for an icon only. */
export function ProjectStatusIcon({ status }: { status: ProjectStatus }) {
  const { word, tone, icon: Icon, spin } = looks[status];
  return <Icon role="img" aria-label={word} className={classes("size-3.5 shrink-0", toneText[tone], spin && "animate-spin")} />;
}

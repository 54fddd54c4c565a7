import { Check, Circle, LoaderCircle, Minus, X, type LucideIcon } from "lucide-react";

import { asSentence } from "@/api/error";
import { formatDuration } from "@/format/time";
import { classes } from "@/ui/classes";
import { Prose } from "@/ui/Prose";
import { Elapsed } from "@/ui/RelativeTime";

import type { Workspace } from "@/api/types";
import { bootSteps, type BootStatus, type BootStep } from "./words";

const looks: Record<BootStatus, { icon: LucideIcon; ring: string; text: string; word: string }> = {
  succeeded: { icon: Check, ring: "bg-good-wash text-good", text: "text-ink", word: "done" },
  running: { icon: LoaderCircle, ring: "bg-accent-wash text-accent-ink", text: "text-ink font-medium", word: "running" },
  failed: { icon: X, ring: "bg-bad-wash text-bad", text: "text-bad font-medium", word: "failed" },
  skipped: { icon: Minus, ring: "bg-hover text-faint", text: "text-faint", word: "nothing to do" },
  waiting: { icon: Circle, ring: "bg-hover text-faint", text: "text-faint", word: "not yet" },
};

function StepTime({ step }: { step: BootStep }) {
  if (step.status === "running" && step.since !== undefined) return <Elapsed since={step.since} />;
  if (step.took !== undefined && step.status !== "skipped") return <>{formatDuration(step.took)}</>;
  return <>{looks[step.status].word}</>;
}

export function BootTimeline({ workspace }: { workspace: Workspace }) {
  const steps = bootSteps(workspace);
  return (
    <ol aria-label="Steps of the start" data-testid="boot-steps">
      {steps.map((step, index) => {
        const { icon: Icon, ring, text } = looks[step.status];
        return (
          <li key={step.name} aria-current={step.status === "running" ? "step" : undefined} data-step={step.name} data-status={step.status} className="relative flex gap-3 pb-3.5 last:pb-0">
            {index < steps.length - 1 && <span aria-hidden className="absolute top-6 bottom-0 left-3 w-px bg-line-strong" />}
            <span className={classes("relative grid size-6 shrink-0 place-items-center rounded-full", ring)}>
              <Icon aria-hidden className={classes("size-3.5", step.status === "running" && "animate-spin")} />
            </span>
            <div className="min-w-0 flex-1">
              <div className="flex items-baseline justify-between gap-3">
                <span className={text}>{step.label}</span>
                <span className="shrink-0 text-[13px] text-faint tabular-nums">
                  <StepTime step={step} />
                </span>
              </div>
              {step.message && (
                <p className={classes("text-[13px] wrap-anywhere", step.status === "failed" ? "text-bad" : "text-faint")}>
                  <Prose>{asSentence(step.message)}</Prose>
                </p>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

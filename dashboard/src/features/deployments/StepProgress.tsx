import { Ban, Check, Circle, LoaderCircle, Minus, X, type LucideIcon } from "lucide-react";

import type { Deployment } from "@/api/types";
import { formatDuration } from "@/format/time";
import { classes } from "@/ui/classes";
import { Elapsed } from "@/ui/RelativeTime";

import { isSettled, stepsOf, type Step, type StepStatus } from "./steps";

const looks: Record<StepStatus, { icon: LucideIcon; ring: string; text: string; word: string }> = {
  done: { icon: Check, ring: "bg-good-wash text-good", text: "text-ink", word: "done" },
  running: { icon: LoaderCircle, ring: "bg-accent-wash text-accent-ink", text: "text-ink font-medium", word: "running" },
  failed: { icon: X, ring: "bg-bad-wash text-bad", text: "text-bad font-medium", word: "failed" },
  stopped: { icon: Ban, ring: "bg-hover text-soft", text: "text-soft", word: "stopped" },
  waiting: { icon: Circle, ring: "bg-hover text-faint", text: "text-faint", word: "not yet" },
  skipped: { icon: Minus, ring: "bg-hover text-faint", text: "text-faint", word: "nothing to do" },
};

/** Less is more the network's doing than the step's. */
const SHOWN_FROM_MS = 100;

function StepTimeText({ step, over }: { step: Step; over: boolean }) {
  if (step.status === "running") return step.since === undefined ? <>running</> : <Elapsed since={step.since} />;
  if (step.took !== undefined && step.took >= SHOWN_FROM_MS && step.status !== "skipped") return <>{formatDuration(step.took)}</>;
  return <>{over && step.status === "waiting" ? "not reached" : looks[step.status].word}</>;
}

export function StepProgress({ deployment }: { deployment: Deployment }) {
  const steps = stepsOf(deployment);
  return (
    <ol aria-label="Steps" className="flex items-start">
      {steps.map((step, index) => {
        const { icon: Icon, ring, text } = looks[step.status];
        return (
          <li
            key={step.name}
            aria-current={step.status === "running" ? "step" : undefined}
            data-step={step.name}
            data-status={step.status}
            className={classes("relative flex min-w-0 flex-1 flex-col items-center gap-1 text-center sm:items-start sm:text-left", index === steps.length - 1 && "sm:flex-none")}
          >
            {index < steps.length - 1 && (
              <span
                aria-hidden
                className={classes(
                  "absolute top-3 left-1/2 h-px w-full sm:left-0",
                  step.status === "done" || step.status === "skipped" ? "bg-good/40" : "bg-line-strong",
                )}
              />
            )}
            <span className="relative rounded-full bg-surface px-1 sm:pr-2 sm:pl-0">
              <span className={classes("grid size-6 place-items-center rounded-full", ring)}>
                <Icon aria-hidden className={classes("size-3.5", step.status === "running" && "animate-spin")} />
              </span>
            </span>
            <span className={classes("text-[13px]", text)}>{step.label}</span>
            <span className={classes("text-xs text-faint tabular-nums", (step.status === "waiting" || step.status === "skipped") && "max-sm:hidden")}>
              <StepTimeText step={step} over={isSettled(deployment.state)} />
            </span>
          </li>
        );
      })}
    </ol>
  );
}

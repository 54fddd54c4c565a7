import { Ban, Play } from "lucide-react";
import { useNavigate } from "react-router";

import type { Run } from "@/api/types";
import { Button } from "@/ui/Button";
import { toast } from "@/ui/toast-store";

import { useStartRun, useStartSchedule, useStopRun } from "./queries";
import { pathOf, titleOf } from "./words";

export function StopButton({ run, size }: { run: Run; size?: "sm" | "md" }) {
  const stop = useStopRun();
  return (
    <Button
      size={size}
      icon={Ban}
      busy={stop.isPending}
      aria-label={`Stop: ${titleOf(run)}`}
      data-testid="stop-run"
      onClick={() => stop.mutate(run.id, { onSuccess: () => toast.good("The command is being stopped."), onError: toast.error })}
    >
      Stop
    </Button>
  );
}

/** Starts a scheduled job now and goes to where its log is. */
export function RunNowButton({ projectId, name, size = "sm", label = "Run now" }: { projectId: string; name: string; size?: "sm" | "md"; label?: string }) {
  const start = useStartSchedule(projectId);
  const navigate = useNavigate();
  return (
    <Button
      size={size}
      icon={Play}
      busy={start.isPending}
      aria-label={`${label}: ${name}`}
      data-testid="run-now"
      onClick={() => start.mutate(name, { onSuccess: (run) => void navigate(pathOf(run)), onError: toast.error })}
    >
      {label}
    </Button>
  );
}

/** A release command is run by deployments only. */
export function AgainButton({ run }: { run: Run }) {
  const start = useStartRun(run.project_id);
  const navigate = useNavigate();
  if (run.kind === "release") return null;
  if (run.kind === "schedule") return run.name ? <RunNowButton projectId={run.project_id} name={run.name} size="md" label="Run again" /> : null;
  const body = { command: run.command, ...(run.kind === "exec" && run.name && { inside: run.name }) };
  return (
    <Button icon={Play} busy={start.isPending} data-testid="run-again" onClick={() => start.mutate(body, { onSuccess: (next) => void navigate(pathOf(next)), onError: toast.error })}>
      Run again
    </Button>
  );
}

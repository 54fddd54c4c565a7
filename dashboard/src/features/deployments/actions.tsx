import { Ban, GitCompare, History, RotateCw } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { Deployment } from "@/api/types";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Dialog";
import { toast } from "@/ui/toast-store";

import { describe } from "./CommitLine";
import { useCancel, useRedeploy, useRedeployIfChanged, useRollback, useRollbackPlan } from "./queries";
import { RollbackChanges } from "./RollbackChanges";

interface Common {
  size?: "sm" | "md";
  variant?: "primary" | "secondary" | "ghost";
}

export function CancelButton({ deployment, size, variant }: Common & { deployment: Deployment }) {
  const cancel = useCancel();
  return (
    <Button
      size={size}
      variant={variant}
      icon={Ban}
      busy={cancel.isPending}
      data-testid="cancel-deployment"
      aria-label={`Cancel deployment ${deployment.number}`}
      onClick={() =>
        cancel.mutate(deployment.id, {
          onSuccess: () => toast.good(`Deployment #${deployment.number} is being stopped.`),
          onError: toast.error,
        })
      }
    >
      Cancel
    </Button>
  );
}

interface RedeployProps extends Common {
  projectId: string;
  label?: string;
  disabled?: boolean;
  onStarted?: (deployment: Deployment) => void;
  testId?: string;
}

export function RedeployButton({ projectId, size, variant, label = "Redeploy", disabled, onStarted, testId = "redeploy" }: RedeployProps) {
  const redeploy = useRedeploy();
  return (
    <Button
      size={size}
      variant={variant}
      icon={RotateCw}
      busy={redeploy.isPending}
      disabled={disabled}
      data-testid={testId}
      onClick={() =>
        redeploy.mutate(
          { projectId },
          {
            onSuccess: ({ deployment }) => {
              toast.good(`Deployment #${deployment.number} is on its way.`);
              onStarted?.(deployment);
            },
            onError: toast.error,
          },
        )
      }
    >
      {label}
    </Button>
  );
}

/** Takes longer to answer: two commits are fetched and compared first. */
export function RedeployIfChangedButton({ projectId, disabled }: { projectId: string; disabled?: boolean }) {
  const redeploy = useRedeployIfChanged();
  return (
    <Button
      variant="ghost"
      icon={GitCompare}
      busy={redeploy.isPending}
      disabled={disabled}
      data-testid="redeploy-if-changed"
      title="Deploys when something that this project watches has changed since its live commit"
      onClick={() =>
        redeploy.mutate(projectId, {
          onSuccess: (answer) =>
            "deployment" in answer ? toast.good(`Deployment #${answer.deployment.number} is on its way.`) : toast.good(`Not deployed: ${answer.reason}.`),
          onError: toast.error,
        })
      }
    >
      Redeploy if changed
    </Button>
  );
}

interface RollbackProps extends Common {
  deployment: Deployment;
  label?: string;
  onStarted?: (deployment: Deployment) => void;
}

/** Asks first: visitors see the older version within moments. */
export function RollbackButton({ deployment, size, variant, label = "Roll back", onStarted }: RollbackProps) {
  const [open, setOpen] = useState(false);
  const rollback = useRollback();
  const plan = useRollbackPlan(deployment.project_id, deployment.id, open);
  function change(next: boolean) {
    if (next) rollback.reset();
    setOpen(next);
  }
  return (
    <>
      <Button
        size={size}
        variant={variant}
        icon={History}
        data-testid="rollback-deployment"
        aria-label={`Roll back to #${deployment.number}`}
        onClick={() => change(true)}
      >
        {label}
      </Button>
      <Confirm
        open={open}
        onOpenChange={change}
        title={`Roll back to deployment #${deployment.number}?`}
        description={
          <>
            Its release <q>{describe(deployment)}</q> is kept, so it starts without a build and takes over once it answers.
          </>
        }
        confirm="Roll back"
        testId="rollback-confirm"
        busy={rollback.isPending}
        error={rollback.error ? messageOf(rollback.error) : undefined}
        onConfirm={() =>
          rollback.mutate(
            { projectId: deployment.project_id, deployment_id: deployment.id },
            {
              onSuccess: (accepted) => {
                setOpen(false);
                toast.good(`Going back to deployment #${deployment.number}.`);
                onStarted?.(accepted.deployment);
              },
            },
          )
        }
      >
        <RollbackChanges plan={plan.data} error={plan.error} />
      </Confirm>
    </>
  );
}

import { CirclePause, Hammer, Play, RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import { plural } from "@/format/quantity";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { toast } from "@/ui/toast-store";

import { isAsleep } from "./idle";
import { useDeleteWorkspace, useRebuildWorkspace, useRestartWorkspace, useStopWorkspace } from "./queries";
import type { Workspace } from "@/api/types";

interface ActionProps {
  workspace: Workspace;
  size?: "sm" | "md";
  variant?: "primary" | "secondary" | "ghost" | "danger";
}

/** Asks when something is open in it. */
export function StopButton({ workspace, size, variant }: ActionProps) {
  const [open, setOpen] = useState(false);
  const stop = useStopWorkspace(workspace.id);
  const onSuccess = () => {
    setOpen(false);
    toast.good(`${workspace.name} is being stopped.`);
  };
  return (
    <>
      <Button
        size={size}
        variant={variant}
        icon={CirclePause}
        busy={stop.isPending && !open}
        aria-label={`Stop ${workspace.name}`}
        data-testid="stop-workspace"
        onClick={() => (workspace.terminals > 0 ? setOpen(true) : stop.mutate(undefined, { onSuccess, onError: toast.error }))}
      >
        Stop
      </Button>
      <Confirm
        open={open}
        onOpenChange={(next) => {
          stop.reset();
          setOpen(next);
        }}
        title={`Stop ${workspace.name}?`}
        description={`What runs in its ${plural(workspace.terminals, "terminal")} is ended. Its files stay, also those that are not committed.`}
        confirm="Stop"
        testId="stop-confirm"
        busy={stop.isPending}
        error={stop.error ? messageOf(stop.error) : undefined}
        onConfirm={() => stop.mutate(undefined, { onSuccess })}
      />
    </>
  );
}

export function RestartButton({ workspace, size, variant }: ActionProps) {
  const restart = useRestartWorkspace(workspace.id);
  const again = workspace.state !== "stopped";
  const label = again ? "Retry" : isAsleep(workspace) ? "Wake" : "Start";
  return (
    <Button
      size={size}
      variant={variant}
      icon={again ? RotateCw : Play}
      busy={restart.isPending}
      aria-label={`${label} ${workspace.name}`}
      data-testid="restart-workspace"
      onClick={() => restart.mutate(undefined, { onError: toast.error })}
    >
      {label}
    </Button>
  );
}

interface DialogProps {
  workspace: Workspace;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDone?: () => void;
}

export function RebuildDialog({ workspace, open, onOpenChange, onDone }: DialogProps) {
  const rebuild = useRebuildWorkspace(workspace.id);
  const [typed, setTyped] = useState("");
  function change(next: boolean) {
    setTyped("");
    rebuild.reset();
    onOpenChange(next);
  }
  return (
    <Confirm
      open={open}
      onOpenChange={change}
      title={`Rebuild ${workspace.name}?`}
      description="It is made anew from its repository. All files in it are removed, also what was never committed or never pushed, and its home directory. What runs in it is ended."
      confirm="Discard the files and rebuild"
      testId="rebuild-confirm"
      danger
      busy={rebuild.isPending}
      allowed={typed.trim() === workspace.name}
      error={rebuild.error ? messageOf(rebuild.error) : undefined}
      onConfirm={() =>
        rebuild.mutate(undefined, {
          onSuccess: () => {
            change(false);
            onDone?.();
          },
        })
      }
    >
      <TextField label={`Type ${workspace.name} to confirm`} autoFocus autoComplete="off" spellCheck={false} value={typed} onChange={setTyped} />
    </Confirm>
  );
}

export function DeleteDialog({ workspace, open, onOpenChange, onDone }: DialogProps) {
  const remove = useDeleteWorkspace(workspace.id);
  const [typed, setTyped] = useState("");
  function change(next: boolean) {
    setTyped("");
    remove.reset();
    onOpenChange(next);
  }
  return (
    <Confirm
      open={open}
      onOpenChange={change}
      title={`Delete ${workspace.name}?`}
      description="Its files are removed, also what was never committed or never pushed, and what its terminals put out. The project stays as it is."
      confirm="Delete for good"
      testId="delete-confirm"
      danger
      busy={remove.isPending}
      allowed={typed.trim() === workspace.name}
      error={remove.error ? messageOf(remove.error) : undefined}
      onConfirm={() =>
        remove.mutate(undefined, {
          onSuccess: () => {
            toast.good(`${workspace.name} is being removed.`);
            change(false);
            onDone?.();
          },
        })
      }
    >
      <TextField label={`Type ${workspace.name} to confirm`} autoFocus autoComplete="off" spellCheck={false} value={typed} onChange={setTyped} />
    </Confirm>
  );
}

export function RebuildButton({ workspace, size, variant }: ActionProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size={size} variant={variant} icon={Hammer} aria-label={`Rebuild ${workspace.name}`} data-testid="rebuild-workspace" onClick={() => setOpen(true)}>
        Rebuild
      </Button>
      <RebuildDialog workspace={workspace} open={open} onOpenChange={setOpen} />
    </>
  );
}

export function DeleteButton({ workspace, size, variant, onDone }: ActionProps & { onDone?: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size={size} variant={variant} icon={Trash2} aria-label={`Delete ${workspace.name}`} data-testid="delete-workspace" onClick={() => setOpen(true)}>
        Delete
      </Button>
      <DeleteDialog workspace={workspace} open={open} onOpenChange={setOpen} onDone={onDone} />
    </>
  );
}

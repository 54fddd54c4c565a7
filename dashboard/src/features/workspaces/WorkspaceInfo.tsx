import { useState, type FormEvent, type ReactNode } from "react";
import { Link } from "react-router";

import { fieldError, formError } from "@/api/error";
import { WorkspaceHistory } from "@/features/activity/WorkspaceHistory";
import { ProcessPlots } from "@/features/metrics/ProcessPlots";
import { formatBytes, plural } from "@/format/quantity";
import { useNow } from "@/live/now";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, inputClass, TextField } from "@/ui/Field";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { DeleteDialog, RebuildDialog } from "./actions";
import { BootTimeline } from "./BootTimeline";
import { formatTime, fromLocalField, toLocalField, why } from "./idle";
import { useUpdateWorkspace } from "./queries";
import type { Workspace } from "@/api/types";
import { branchOf, idleChoices, idleLabel } from "./words";

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-faint">{label}</dt>
      <dd className="min-w-0 wrap-anywhere">{children}</dd>
    </div>
  );
}

function Facts({ workspace }: { workspace: Workspace }) {
  const now = useNow("slow");
  const { idle } = workspace;
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-5 gap-y-1.5">
      <Fact label="Project">
        <Link to={`/projects/${workspace.project_id}`} className="rounded text-accent-ink hover:underline">
          {workspace.project_name}
        </Link>
      </Fact>
      <Fact label="Branch">
        <span className="font-mono text-[13px]">{branchOf(workspace)}</span>
        {workspace.new_branch && <span className="text-faint"> from {workspace.branch ?? "the default branch"}</span>}
      </Fact>
      <Fact label="Server">
        <Link to={`/servers/${workspace.node_id}`} className="rounded text-accent-ink hover:underline">
          {workspace.node_name}
        </Link>
      </Fact>
      <Fact label="Memory">at most {formatBytes(workspace.memory_mb * 1024 * 1024)}</Fact>
      <Fact label="Started">
        <RelativeTime at={workspace.state_since} />, {plural(workspace.attempt, "start")} so far
      </Fact>
      <Fact label="Created">
        <RelativeTime at={workspace.created_at} /> by {workspace.owner}
      </Fact>
      {idle && (
        <Fact label="Sleeps">
          {idle.sleeps_at ? `at ${formatTime(idle.sleeps_at, now)}: ` : "not now: "}
          <Prose>{`${why(idle, now)}.`}</Prose>
        </Fact>
      )}
    </dl>
  );
}

function Settings({ workspace }: { workspace: Workspace }) {
  const [name, setName] = useState(workspace.name);
  const [idle, setIdle] = useState(workspace.idle_timeout_seconds);
  const [deadline, setDeadline] = useState(toLocalField(workspace.shutdown_deadline));
  const save = useUpdateWorkspace(workspace.id);
  const change = {
    ...(deadline !== toLocalField(workspace.shutdown_deadline) && { shutdown_deadline: fromLocalField(deadline) }),
    ...(name.trim() && name.trim() !== workspace.name && { name: name.trim() }),
    ...(idle !== workspace.idle_timeout_seconds && { idle_timeout_seconds: idle }),
  };
  const changed = Object.keys(change).length > 0;
  const choices = idleChoices.some((each) => each.seconds === workspace.idle_timeout_seconds)
    ? idleChoices
    : [...idleChoices, { seconds: workspace.idle_timeout_seconds, label: idleLabel(workspace.idle_timeout_seconds) }];

  function submit(event: FormEvent) {
    event.preventDefault();
    // Once it is saved this form is replaced, and would not be told by a callback.
    if (changed) void save.mutateAsync(change).then(() => toast.good("Saved."), () => undefined);
  }

  const failure = formError(save.error, ["name", "idle_timeout_seconds", "shutdown_deadline"]);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-3">
      <div className="grid gap-3 sm:grid-cols-2">
        <TextField label="Name" autoComplete="off" maxLength={64} value={name} onChange={setName} error={fieldError(save.error, "name")} />
        <Field label="Stop when idle" error={fieldError(save.error, "idle_timeout_seconds")}>
          {(control) => (
            <select {...control} value={idle} onChange={(event) => setIdle(Number(event.target.value))} className={inputClass}>
              {choices.map(({ seconds, label }) => (
                <option key={seconds} value={seconds}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <TextField
          label="Stop at"
          optional
          type="datetime-local"
          hint="Whatever runs then. You are warned before."
          value={deadline}
          onChange={setDeadline}
          error={fieldError(save.error, "shutdown_deadline")}
          data-testid="shutdown-deadline"
        />
      </div>
      {failure && <Notice tone="bad">{failure}</Notice>}
      {changed && (
        <div>
          <Button type="submit" size="sm" variant="primary" busy={save.isPending}>
            Save changes
          </Button>
        </div>
      )}
    </form>
  );
}

interface WorkspaceInfoProps {
  workspace: Workspace;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDeleted: () => void;
}

/** Everything about one that runs that is not its terminals. */
export function WorkspaceInfo({ workspace, open, onOpenChange, onDeleted }: WorkspaceInfoProps) {
  const [asking, setAsking] = useState<"rebuild" | "delete">();
  // One dialog after the other: a question does not lie over what it was asked from.
  const ask = (what: "rebuild" | "delete") => {
    onOpenChange(false);
    setAsking(what);
  };
  return (
    <>
      <Dialog open={open} onOpenChange={onOpenChange} title={workspace.name} wide>
        <div className="flex flex-col gap-5">
          <Facts workspace={workspace} />
          <Settings key={workspace.updated_at} workspace={workspace} />
          {workspace.steps.length > 0 && (
            <section aria-label="Last start">
              <h3 className="mb-2 font-medium">Last start</h3>
              <BootTimeline workspace={workspace} />
            </section>
          )}
          <div className="flex flex-wrap gap-2 border-t border-line pt-4">
            <Button size="sm" onClick={() => ask("rebuild")}>
              Rebuild from clean…
            </Button>
            <Button size="sm" onClick={() => ask("delete")}>
              Delete…
            </Button>
          </div>
          {/* The last: they come late, and would move what lies below them away from under a hand. */}
          <ProcessPlots of={{ kind: "workspace", id: workspace.id }} />
          <WorkspaceHistory
            workspace={workspace}
            frame={(list) => (
              <section aria-label="What happened">
                <h3 className="font-medium">What happened</h3>
                {list}
              </section>
            )}
          />
        </div>
      </Dialog>
      <RebuildDialog workspace={workspace} open={asking === "rebuild"} onOpenChange={(next) => !next && setAsking(undefined)} />
      <DeleteDialog workspace={workspace} open={asking === "delete"} onOpenChange={(next) => !next && setAsking(undefined)} onDone={onDeleted} />
    </>
  );
}

import { History, Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";

import { messageOf } from "@/api/error";
import type { Schedule } from "@/api/types";
import { useNow } from "@/live/now";
import { Chip } from "@/ui/Badge";
import { Button, buttonClass, IconButton } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { RelativeTime } from "@/ui/RelativeTime";
import { Switch } from "@/ui/Switch";
import { toast } from "@/ui/toast-store";

import { RunNowButton } from "./actions";
import { useRemoveSchedule, useSetSchedule } from "./queries";
import { RunStateBadge } from "./RunStateBadge";
import { ScheduleDialog } from "./ScheduleDialog";
import { formatUntil, pathOf, scheduleWords } from "./words";

function Next({ schedule }: { schedule: Schedule }) {
  const now = useNow("slow");
  if (!schedule.enabled) return "switched off";
  if (!schedule.next_run_at) return "runs once something is live";
  return <time dateTime={schedule.next_run_at}>next {formatUntil(Date.parse(schedule.next_run_at), now)}</time>;
}

function Last({ schedule: { last_run: last } }: { schedule: Schedule }) {
  if (!last) return <span className="text-[13px] text-faint">did not run yet</span>;
  return (
    <Link to={pathOf(last)} className="inline-flex flex-wrap items-center gap-2 rounded text-[13px] text-faint hover:underline">
      <RunStateBadge state={last.state} />
      <RelativeTime at={last.created_at} />
    </Link>
  );
}

/** Only what was set here can be switched: a line of the Procfile is the release's. */
function Enabled({ projectId, schedule }: { projectId: string; schedule: Schedule }) {
  const set = useSetSchedule(projectId);
  const { name, schedule: cron, command, timeout_seconds } = schedule;
  return (
    <Switch
      label={schedule.enabled ? `Switch ${name} off` : `Switch ${name} on`}
      checked={schedule.enabled}
      busy={set.isPending}
      testId="schedule-enabled"
      onChange={(enabled) => set.mutate({ name, schedule: cron, command, timeout_seconds, enabled }, { onError: toast.error })}
    />
  );
}

function RemoveButton({ projectId, name }: { projectId: string; name: string }) {
  const [open, setOpen] = useState(false);
  const remove = useRemoveSchedule(projectId);
  return (
    <>
      <IconButton label={`Remove ${name}`} icon={Trash2} onClick={() => setOpen(true)} />
      <Confirm
        open={open}
        onOpenChange={(next) => {
          remove.reset();
          setOpen(next);
        }}
        title={`Remove ${name}?`}
        description="It is not run any more; what it ran stays in the list. A line of the Procfile with this name counts again."
        confirm="Remove"
        danger
        busy={remove.isPending}
        error={remove.error ? messageOf(remove.error) : undefined}
        onConfirm={() => remove.mutate(name, { onSuccess: () => setOpen(false) })}
      />
    </>
  );
}

function Row({ projectId, schedule, onEdit }: { projectId: string; schedule: Schedule; onEdit: () => void }) {
  const { name, schedule: cron, command, from_procfile } = schedule;
  return (
    <li data-testid="schedule" className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 py-3">
      <div className="min-w-0 flex-1 basis-72">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <span className="font-medium">{name}</span>
          <Chip title={from_procfile ? "A line of the live release's Procfile" : "Set on this page or with the command line"}>{from_procfile ? "Procfile" : "set here"}</Chip>
          <Last schedule={schedule} />
        </p>
        <p className="mt-1 text-[13px] text-soft">
          {scheduleWords(cron) ?? "On schedule"} <span className="text-faint">·</span> <code className="font-mono text-faint">{cron}</code> <span className="text-faint">·</span>{" "}
          <span className="text-faint">
            <Next schedule={schedule} />
          </span>
        </p>
        <code className="mt-0.5 block truncate font-mono text-[13px] text-soft" title={command}>
          {command}
        </code>
      </div>
      <div className="flex items-center gap-1.5">
        {!from_procfile && <Enabled projectId={projectId} schedule={schedule} />}
        <Link to={`?schedule=${encodeURIComponent(name)}`} preventScrollReset aria-label={`History of ${name}`} title={`History of ${name}`} className={buttonClass("ghost", "icon")}>
          <History aria-hidden className="size-4" />
        </Link>
        <IconButton label={`Change ${name}`} icon={Pencil} onClick={onEdit} />
        {!from_procfile && <RemoveButton projectId={projectId} name={name} />}
        <RunNowButton projectId={projectId} name={name} />
      </div>
    </li>
  );
}

export function Schedules({ projectId, schedules }: { projectId: string; schedules: Schedule[] }) {
  const [editing, setEditing] = useState<Schedule>();
  const [open, setOpen] = useState(false);

  function edit(schedule?: Schedule) {
    setEditing(schedule);
    setOpen(true);
  }

  return (
    <Panel
      title="Schedules"
      description="Commands that are run again and again: cron lines of the Procfile, and those set here."
      actions={
        <Button size="sm" icon={Plus} onClick={() => edit()} data-testid="add-schedule">
          Add schedule
        </Button>
      }
    >
      {schedules.length === 0 ? (
        <p className="text-faint">Nothing is scheduled.</p>
      ) : (
        <ul className="-my-3 divide-y divide-line">
          {schedules.map((schedule) => (
            <Row key={schedule.name} projectId={projectId} schedule={schedule} onEdit={() => edit(schedule)} />
          ))}
        </ul>
      )}
      <ScheduleDialog key={editing?.name ?? ""} projectId={projectId} schedule={editing} names={schedules.map(({ name }) => name)} open={open} onOpenChange={setOpen} />
    </Panel>
  );
}

import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { Schedule } from "@/api/types";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { useSetSchedule } from "./queries";
import { emptyForm, fromSchedule, problemsOf, shownFields, toPut, type ScheduleForm } from "./schedule-form";
import { scheduleWords } from "./words";

interface ScheduleDialogProps {
  projectId: string;
  /** The one that is changed; a new one when absent. */
  schedule?: Schedule;
  /** Names that are taken. */
  names: readonly string[];
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

function Fields({ projectId, schedule, names, onDone }: Omit<ScheduleDialogProps, "open" | "onOpenChange"> & { onDone: () => void }) {
  const [form, setForm] = useState(() => (schedule ? fromSchedule(schedule) : emptyForm));
  const [tried, setTried] = useState(false);
  const set = useSetSchedule(projectId);
  const problems = problemsOf(form);
  if (!schedule && names.includes(form.name.trim())) problems.name = "There is a job of this name already.";

  function bind(field: keyof ScheduleForm, serverField: (typeof shownFields)[number]) {
    return {
      value: form[field],
      onChange: (value: string) => {
        set.reset();
        setForm((before) => ({ ...before, [field]: value }));
      },
      error: (tried ? problems[serverField] : undefined) ?? fieldError(set.error, serverField),
      mono: true,
      spellCheck: false,
      autoComplete: "off",
      autoCapitalize: "none",
    };
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (Object.values(problems).some(Boolean)) return;
    set.mutate(toPut(form, schedule?.enabled ?? true), {
      onSuccess: () => {
        toast.good(`${form.name.trim()} is set.`);
        onDone();
      },
    });
  }

  const failure = formError(set.error, shownFields);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4" data-testid="schedule-form">
      {schedule?.from_procfile && <Notice>What you save here takes the place of the Procfile&apos;s line, until you remove it here.</Notice>}
      <TextField label="Name" placeholder="nightly" readOnly={schedule != null} autoFocus={!schedule} {...bind("name", "name")} />
      <TextField
        label="Schedule"
        placeholder="0 3 * * *"
        hint={scheduleWords(form.schedule) ?? "Minute, hour, day of month, month, day of week, in UTC; or @hourly, @daily, @weekly, @monthly, @yearly."}
        {...bind("schedule", "schedule")}
      />
      <TextField label="Command" placeholder="node cleanup.js" hint="Runs with the live release's files, variables, volumes and network, and the same limits." {...bind("command", "command")} />
      <TextField label="Time limit" optional placeholder="1h" hint="It is stopped after so long: 30s, 10m, 2h." {...bind("timeout", "timeout_seconds")} />
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" variant="primary" busy={set.isPending} data-testid="schedule-save">
          {schedule ? "Save" : "Add schedule"}
        </Button>
      </div>
    </form>
  );
}

export function ScheduleDialog({ open, onOpenChange, ...rest }: ScheduleDialogProps) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={rest.schedule ? `Change ${rest.schedule.name}` : "Add a schedule"}>
      <Fields {...rest} onDone={() => onOpenChange(false)} />
    </Dialog>
  );
}

import { useState, type FormEvent } from "react";
import { useNavigate } from "react-router";

import { fieldError, formError } from "@/api/error";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, inputClass, TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { useStartRun } from "./queries";
import { timeoutProblem } from "./schedule-form";
import { parseSpan, pathOf } from "./words";

const shownFields = ["command", "inside", "timeout_seconds"];
const OWN_SANDBOX = "";

interface RunDialogProps {
  projectId: string;
  /** Processes of the live release that a command can be run inside of. */
  processes: readonly string[];
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

function Fields({ projectId, processes, onDone }: { projectId: string; processes: readonly string[]; onDone: () => void }) {
  const [command, setCommand] = useState("");
  const [inside, setInside] = useState(OWN_SANDBOX);
  const [timeout, setTimeout] = useState("");
  const [tried, setTried] = useState(false);
  const start = useStartRun(projectId);
  const navigate = useNavigate();
  const commandProblem = command.trim() ? undefined : "Say what to run.";

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (commandProblem || timeoutProblem(timeout)) return;
    const body = { command: command.trim(), ...(inside && { inside }), ...(timeout.trim() && { timeout_seconds: parseSpan(timeout) }) };
    start.mutate(body, {
      onSuccess: (run) => {
        onDone();
        void navigate(pathOf(run));
      },
    });
  }

  function change<T>(set: (value: T) => void) {
    return (value: T) => {
      start.reset();
      set(value);
    };
  }

  const failure = formError(start.error, shownFields);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4" data-testid="run-form">
      <TextField
        label="Command"
        mono
        autoFocus
        placeholder="python manage.py createsuperuser --noinput"
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="none"
        value={command}
        onChange={change(setCommand)}
        error={(tried ? commandProblem : undefined) ?? fieldError(start.error, "command")}
        hint="Quoted as in a shell. It gets no input."
      />
      <Field
        label="Where"
        error={fieldError(start.error, "inside")}
        hint={
          inside
            ? "It sees the process and its /tmp, and ends with it: when you deploy, for example."
            : "With the live release's files, variables, volumes and network. It goes on when you deploy."
        }
      >
        {(control) => (
          <select {...control} value={inside} onChange={(event) => change(setInside)(event.target.value)} className={inputClass}>
            <option value={OWN_SANDBOX}>In a sandbox of its own</option>
            {processes.map((name) => (
              <option key={name} value={name}>
                Inside the running {name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <TextField
        label="Time limit"
        optional
        mono
        placeholder="1h"
        autoComplete="off"
        value={timeout}
        onChange={change(setTimeout)}
        error={(tried ? timeoutProblem(timeout) : undefined) ?? fieldError(start.error, "timeout_seconds")}
        hint="It is stopped after so long: 30s, 10m, 2h."
      />
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end gap-2">
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" variant="primary" busy={start.isPending} data-testid="run-start">
          Run
        </Button>
      </div>
    </form>
  );
}

export function RunDialog({ projectId, processes, open, onOpenChange }: RunDialogProps) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Run a command">
      <Fields projectId={projectId} processes={processes} onDone={() => onOpenChange(false)} />
    </Dialog>
  );
}

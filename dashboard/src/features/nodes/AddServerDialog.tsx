import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { JoinTokenCreate, JoinTokenCreated } from "@/api/types";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { Invitation } from "./Invitation";
import { labelsProblem, parseLabels } from "./labels";
import { useCreateJoinToken } from "./queries";

interface Asked {
  request: JoinTokenCreate;
  created: JoinTokenCreated;
  /** When it was answered, by this machine's clock. */
  at: number;
}

function InvitationForm({ onCreated }: { onCreated: (asked: Asked) => void }) {
  const [name, setName] = useState("");
  const [labels, setLabels] = useState("");
  const [tried, setTried] = useState(false);
  const create = useCreateJoinToken();

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (labelsProblem(labels)) return;
    const request = { ...(name.trim() && { name: name.trim() }), labels: parseLabels(labels) };
    create.mutate(request, { onSuccess: (created) => onCreated({ request, created, at: Date.now() }) });
  }

  const failure = formError(create.error, ["name", "labels"]);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4" data-testid="add-server-form">
      <TextField
        label="Name"
        optional
        placeholder="its own host name"
        autoFocus
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        value={name}
        onChange={(value) => {
          create.reset();
          setName(value);
        }}
        error={fieldError(create.error, "name")}
      />
      <TextField
        label="Labels"
        optional
        mono
        placeholder="region=eu, gpu"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        hint="To choose servers by. They can be changed later."
        value={labels}
        onChange={(value) => {
          create.reset();
          setLabels(value);
        }}
        error={(tried ? labelsProblem(labels) : undefined) ?? fieldError(create.error, "labels")}
      />
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={create.isPending} data-testid="make-command">
          Make the command
        </Button>
      </div>
    </form>
  );
}

/** Invites a machine, and stays until it is here. */
export function AddServerDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const [asked, setAsked] = useState<Asked>();
  const again = useCreateJoinToken();

  function change(next: boolean) {
    if (!next) {
      setAsked(undefined);
      again.reset();
    }
    onOpenChange(next);
  }

  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title="Add a server"
      description={asked ? undefined : "Any Linux machine, also behind a router: it connects to here, nothing connects to it."}
    >
      {asked ? (
        <Invitation
          key={asked.created.id}
          created={asked.created}
          askedAt={asked.at}
          again={{
            busy: again.isPending,
            error: again.error,
            ask: () => again.mutate(asked.request, { onSuccess: (created) => setAsked({ ...asked, created, at: Date.now() }) }),
          }}
          onDone={() => change(false)}
        />
      ) : (
        <InvitationForm onCreated={setAsked} />
      )}
    </Dialog>
  );
}

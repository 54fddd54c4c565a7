import { Download } from "lucide-react";
import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { Enrolment } from "@/api/types";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { nameProblem, takesPulls } from "./pull-state";
import { usePullModel } from "./queries";

function PullForm({ enrolment: { id, node_id }, onDone }: { enrolment: Enrolment; onDone: () => void }) {
  const [model, setModel] = useState("");
  const [tried, setTried] = useState(false);
  const pull = usePullModel(id);
  const problem = nameProblem(model);

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (problem || pull.isPending) return;
    pull.mutate(model.trim(), {
      onSuccess: (begun) => {
        toast.good(`${node_id} fetches ${begun.model}.`);
        onDone();
      },
    });
  }

  const failure = formError(pull.error, ["model"]);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4" data-testid="pull-form">
      <TextField
        label="Model"
        mono
        placeholder="qwen3:4b"
        autoFocus
        autoComplete="off"
        autoCapitalize="none"
        autoCorrect="off"
        spellCheck={false}
        hint="As Ollama knows it, like qwen3:4b."
        value={model}
        onChange={(value) => {
          // Not while it is under way: what comes of it would not be told.
          if (pull.isError) pull.reset();
          setModel(value);
        }}
        error={(tried ? problem : undefined) ?? fieldError(pull.error, "model")}
        data-testid="pull-model"
      />
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={pull.isPending} data-testid="pull-send">
          Fetch it
        </Button>
      </div>
    </form>
  );
}

/** Tells a machine to fetch a model, where its owner allows that. The dialog stays when the machine is gone for a moment. */
export function PullButton({ enrolment }: { enrolment: Enrolment }) {
  const [open, setOpen] = useState(false);
  const { node_id } = enrolment;
  return (
    <>
      {(open || takesPulls(enrolment)) && (
        <Button size="sm" icon={Download} aria-label={`Fetch a model on ${node_id}`} data-testid="pull-open" onClick={() => setOpen(true)}>
          Fetch a model
        </Button>
      )}
      <Dialog open={open} onOpenChange={setOpen} title={`Fetch a model on ${node_id}`} description="Its Ollama downloads it. How far it has come is shown below the machine.">
        <PullForm enrolment={enrolment} onDone={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

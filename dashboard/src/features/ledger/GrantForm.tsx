import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import { formatCredits, parseCredits } from "@/format/credits";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { useGrant, useLedger } from "./queries";

interface Form {
  username: string;
  credits: string;
  reason: string;
}

const EMPTY: Form = { username: "", credits: "", reason: "" };

function problemsOf({ username, credits, reason }: Form): Partial<Form> {
  return {
    ...(!username.trim() && { username: "Say who gets them." }),
    ...(!parseCredits(credits) && { credits: "An amount above 0 with at most six digits after the point, such as 5 or 0.25." }),
    ...(!reason.trim() && { reason: "Say what they are for." }),
  };
}

function Fields() {
  const grant = useGrant();
  const [form, setForm] = useState(EMPTY);
  const [tried, setTried] = useState(false);
  const problems = tried ? problemsOf(form) : {};
  const failure = formError(grant.error, ["username", "amount", "reason"]);

  function change(part: Partial<Form>) {
    grant.reset();
    setForm({ ...form, ...part });
  }

  function done(username: string, amount: number) {
    toast.good(`${username} has ${formatCredits(amount)} credits more.`);
    setForm(EMPTY);
    setTried(false);
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    const amount = parseCredits(form.credits);
    if (!amount || Object.keys(problemsOf(form)).length > 0) return;
    const username = form.username.trim();
    grant.mutate({ username, amount, reason: form.reason.trim() }, { onSuccess: () => done(username, amount) });
  }

  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4" data-testid="grant-form">
      <div className="grid gap-4 sm:grid-cols-[1fr_10rem_2fr]">
        <TextField
          label="User name"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={form.username}
          onChange={(username) => change({ username })}
          error={problems.username ?? fieldError(grant.error, "username")}
        />
        <TextField
          label="Credits"
          inputMode="decimal"
          autoComplete="off"
          placeholder="5.00"
          value={form.credits}
          onChange={(credits) => change({ credits })}
          error={problems.credits ?? fieldError(grant.error, "amount")}
        />
        <TextField label="Reason" autoComplete="off" value={form.reason} onChange={(reason) => change({ reason })} error={problems.reason ?? fieldError(grant.error, "reason")} />
      </div>
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={grant.isPending} data-testid="grant">
          Grant
        </Button>
      </div>
    </form>
  );
}

/** Gives somebody credits. For administrators: those whom the ledger is shown to. */
export function GrantForm() {
  const { data: ledger } = useLedger();
  if (!ledger) return null;
  return (
    <Panel title="Grant credits" description="The only way by which credits come into the mesh.">
      <Fields />
    </Panel>
  );
}

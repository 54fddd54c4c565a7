import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { TokenCreate } from "@/api/types";
import { Button } from "@/ui/Button";
import { CopyButton } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Field, inputClass, TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { LimitFields } from "./LimitFields";
import { limitsOf, NO_LIMITS, problemsOf, type LimitsForm } from "./limits";
import { useCreateToken } from "./queries";

type Access = "write" | "read" | "models";

const DAY_MS = 86_400_000;
const lifetimes = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "One year" },
  { value: "", label: "Never" },
];
const accesses = [
  { value: "write", label: "Read and write", scopes: ["read", "write"] },
  { value: "read", label: "Read only", scopes: ["read"] },
  { value: "models", label: "Ask models only", scopes: ["models"] },
];

interface ChoiceProps {
  label: string;
  options: readonly { value: string; label: string }[];
  value: string;
  onChange: (value: string) => void;
}

function Choice({ label, options, value, onChange }: ChoiceProps) {
  return (
    <Field label={label}>
      {(control) => (
        <select {...control} value={value} onChange={(event) => onChange(event.target.value)} className={inputClass}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface Form {
  name: string;
  access: string;
  /** Until it ends; empty when it never does. */
  days: string;
  /** Only of one that asks models. */
  limits: LimitsForm;
}

function isComplete({ name, access, limits }: Form): boolean {
  return name.trim() !== "" && (access !== "models" || Object.keys(problemsOf(limits)).length === 0);
}

function bodyOf({ name, access, days, limits }: Form): TokenCreate {
  const modelLimits = access === "models" ? limitsOf(limits) : undefined;
  return {
    name: name.trim(),
    scopes: accesses.find((each) => each.value === access)?.scopes,
    ...(days && { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString() }),
    ...(modelLimits && { model_limits: modelLimits }),
  };
}

function TokenForm({ preselected, onCreated }: { preselected: Access; onCreated: (token: string) => void }) {
  const [form, setForm] = useState<Form>({ name: "", access: preselected, days: "90", limits: NO_LIMITS });
  const [tried, setTried] = useState(false);
  const create = useCreateToken();

  function change(part: Partial<Form>) {
    // Not while it is under way: whoever resets it then never sees the token.
    if (create.isError) create.reset();
    setForm({ ...form, ...part });
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!isComplete(form)) return;
    create.mutate(bodyOf(form), { onSuccess: ({ token }) => onCreated(token) });
  }

  const failure = formError(create.error, ["name"]);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4">
      <TextField
        label="Name"
        placeholder="laptop"
        autoFocus
        autoComplete="off"
        hint="What it is for, so that you know which one to revoke."
        value={form.name}
        onChange={(name) => change({ name })}
        error={(tried && !form.name.trim() ? "Give the token a name." : undefined) ?? fieldError(create.error, "name")}
      />
      <div className="grid grid-cols-2 gap-4">
        <Choice label="Access" options={accesses} value={form.access} onChange={(access) => change({ access })} />
        <Choice label="Expires" options={lifetimes} value={form.days} onChange={(days) => change({ days })} />
      </div>
      {form.access === "models" && (
        <LimitFields form={form.limits} onChange={(part) => change({ limits: { ...form.limits, ...part } })} tried={tried} />
      )}
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={create.isPending}>
          Create token
        </Button>
      </div>
    </form>
  );
}

function NewToken({ token, onDone }: { token: string; onDone: () => void }) {
  return (
    <div className="flex flex-col gap-4">
      <div className="flex items-center gap-2 rounded-lg border border-line bg-sunken py-1.5 pr-1.5 pl-3">
        <code data-testid="new-token" className="min-w-0 flex-1 font-mono text-[13px] wrap-anywhere">
          {token}
        </code>
        <CopyButton text={token} label="Copy the token" />
      </div>
      <div className="flex justify-end">
        <Button variant="primary" onClick={onDone}>
          I have copied it
        </Button>
      </div>
    </div>
  );
}

interface CreateTokenDialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** What is chosen at first. */
  access?: Access;
  /** Gets the token, which is shown this once. */
  onCreated?: (token: string) => void;
}

export function CreateTokenDialog({ open, onOpenChange, access = "write", onCreated }: CreateTokenDialogProps) {
  const [token, setToken] = useState("");
  function change(next: boolean) {
    if (!next) setToken("");
    onOpenChange(next);
  }
  function show(created: string) {
    setToken(created);
    onCreated?.(created);
  }
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={token ? "Copy your token now" : "New API token"}
      description={token ? "It is shown this once. NanoScale keeps only its hash." : "For the command line and for scripts. It acts in your name."}
    >
      {token ? <NewToken token={token} onDone={() => change(false)} /> : <TokenForm preselected={access} onCreated={show} />}
    </Dialog>
  );
}

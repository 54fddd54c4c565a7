import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import { Button } from "@/ui/Button";
import { CopyButton } from "@/ui/Copy";
import { Dialog } from "@/ui/Dialog";
import { Field, inputClass, TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

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

function TokenForm({ preselected, onCreated }: { preselected: Access; onCreated: (token: string) => void }) {
  const [name, setName] = useState("");
  const [access, setAccess] = useState<string>(preselected);
  const [days, setDays] = useState("90");
  const [tried, setTried] = useState(false);
  const create = useCreateToken();

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!name.trim()) return;
    create.mutate(
      {
        name: name.trim(),
        scopes: accesses.find((each) => each.value === access)?.scopes,
        ...(days && { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString() }),
      },
      { onSuccess: ({ token }) => onCreated(token) },
    );
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
        value={name}
        onChange={setName}
        error={(tried && !name.trim() ? "Give the token a name." : undefined) ?? fieldError(create.error, "name")}
      />
      <div className="grid grid-cols-2 gap-4">
        <Field label="Access">
          {(control) => (
            <select {...control} value={access} onChange={(event) => setAccess(event.target.value)} className={inputClass}>
              {accesses.map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Expires">
          {(control) => (
            <select {...control} value={days} onChange={(event) => setDays(event.target.value)} className={inputClass}>
              {lifetimes.map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
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

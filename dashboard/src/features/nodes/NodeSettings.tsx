import { useId, useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { Node, NodeAccess } from "@/api/types";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { fromNode, problemsOf, toUpdate, type NodeForm } from "./node-form";
import { useUpdateNode } from "./queries";

const accesses: readonly { value: NodeAccess; label: string; hint: string }[] = [
  { value: "owner", label: "Its owner", hint: "Who made the invitation it came with." },
  { value: "granted", label: "Some", hint: "Its owner, and those it is granted to." },
  { value: "everybody", label: "Everybody", hint: "Who has an account here." },
];

function AccessChoice({ value, onChange }: { value: NodeAccess; onChange: (value: NodeAccess) => void }) {
  const name = useId();
  return (
    <fieldset>
      <legend className="font-medium">Who may put projects here</legend>
      <p className="text-[13px] text-faint">Administrators always may.</p>
      <div className="mt-1.5 grid gap-2 sm:grid-cols-3">
        {accesses.map((access) => (
          <label
            key={access.value}
            className="flex min-w-0 cursor-pointer items-start gap-2.5 rounded-lg border border-line p-3 hover:border-line-strong has-checked:border-accent has-checked:bg-accent-wash"
          >
            <input
              type="radio"
              name={name}
              value={access.value}
              checked={value === access.value}
              onChange={() => onChange(access.value)}
              data-testid={`access-${access.value}`}
              className="mt-0.5 size-4 shrink-0 accent-accent"
            />
            <span className="min-w-0">
              <span className="font-medium">{access.label}</span>
              <span className="block text-[13px] text-faint">{access.hint}</span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Name, labels and access, for those who may change them. */
export function NodeSettings({ node }: { node: Node }) {
  const [form, setForm] = useState(() => fromNode(node));
  const [tried, setTried] = useState(false);
  const save = useUpdateNode(node.id);
  const update = toUpdate(form, node);
  const changed = Object.keys(update).length > 0;
  const problems = problemsOf(form);

  function change(part: Partial<NodeForm>) {
    save.reset();
    setForm((before) => ({ ...before, ...part }));
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!changed || Object.keys(problems).length > 0) return;
    save.mutate(update, {
      onSuccess: (saved) => {
        setForm(fromNode(saved));
        setTried(false);
        toast.good("Settings saved.");
      },
    });
  }

  const errorOf = (field: "name" | "labels") => (tried ? problems[field] : undefined) ?? fieldError(save.error, field);
  const failure = formError(save.error, ["name", "labels", "granted_to"]);
  return (
    <Panel title="Settings">
      <form onSubmit={submit} noValidate data-testid="node-form" className="flex flex-col gap-4">
        <TextField
          label="Name"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          readOnly={node.embedded}
          hint={node.embedded ? <>Comes from <code className="font-mono">orchestrator.server_name</code> in the configuration.</> : undefined}
          value={form.name}
          onChange={(name) => change({ name })}
          error={errorOf("name")}
        />
        <TextField
          label="Labels"
          mono
          placeholder="region=eu, gpu"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          hint="To choose servers by."
          value={form.labels}
          onChange={(labels) => change({ labels })}
          error={errorOf("labels")}
        />
        <AccessChoice value={form.access} onChange={(access) => change({ access })} />
        {form.access === "granted" && (
          <TextField
            label="Granted to"
            placeholder="alice, bob"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            hint="User names."
            value={form.grantedTo}
            onChange={(grantedTo) => change({ grantedTo })}
            error={fieldError(save.error, "granted_to")}
          />
        )}
        {failure && <Notice tone="bad">{failure}</Notice>}
        <div className="flex gap-3">
          <Button type="submit" busy={save.isPending} disabled={!changed} data-testid="node-save">
            Save changes
          </Button>
          {changed && (
            <Button variant="ghost" onClick={() => change(fromNode(node))}>
              Discard
            </Button>
          )}
        </div>
      </form>
    </Panel>
  );
}

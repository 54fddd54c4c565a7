import { useState, type FormEvent } from "react";

import { fieldError, fieldErrors, formError } from "@/api/error";
import type { HostedProvider } from "@/api/types";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { KnownModels } from "./KnownModels";
import type { RowProblems } from "./model-rows";
import { ModelRows } from "./ModelRows";
import { emptyForm, fromProvider, isSound, problemsOf, shownFields, toCreate, toUpdate, type ProviderForm } from "./provider-form";
import { AccessFields, EnabledField, IdentityFields } from "./ProviderFields";
import { useCreateProvider, useUpdateProvider } from "./queries";

const NO_PROBLEMS: ReadonlyMap<number, RowProblems> = new Map();

interface FormProps {
  initial: () => ProviderForm;
  /** The one that is changed; absent for a new one. */
  stored?: HostedProvider;
  /** Names that others have. */
  taken?: readonly string[];
  /** What the company is known to have. */
  known?: readonly string[];
  submit: string;
  busy: boolean;
  error: unknown;
  onSubmit: (form: ProviderForm) => void;
  onChange: () => void;
}

function Fields({ initial, stored, taken = [], known = [], submit, busy, error, onSubmit, onChange }: FormProps) {
  const [form, setForm] = useState(initial);
  const [tried, setTried] = useState(false);
  const problems = problemsOf(form, stored);
  const shown = tried ? problems : undefined;

  function change(next: ProviderForm) {
    onChange();
    setForm(next);
  }

  function errorOf(field: string): string | undefined {
    const local: Record<string, string | undefined> = shown?.fields ?? {};
    return local[field] ?? fieldError(error, field);
  }

  function send(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (isSound(problems)) onSubmit(form);
  }

  const failure = formError(error, shownFields);
  const models = { rows: form.models, onChange: (rows: ProviderForm["models"]) => change({ ...form, models: rows }) };
  return (
    <form onSubmit={send} noValidate autoComplete="off" className="flex flex-col gap-4" data-testid="provider-form">
      {!stored && <IdentityFields form={form} onChange={change} errorOf={errorOf} taken={taken} />}
      <AccessFields form={form} onChange={change} errorOf={errorOf} stored={stored} />
      <ModelRows {...models} problems={shown?.rows ?? NO_PROBLEMS} errors={shown?.fields.models ? [shown.fields.models] : fieldErrors(error, "models")} />
      {known.length > 0 && <KnownModels {...models} names={known} />}
      {stored && <EnabledField form={form} onChange={change} />}
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={busy} data-testid="provider-save">
          {submit}
        </Button>
      </div>
    </form>
  );
}

function NewProvider({ taken, onDone }: { taken: readonly string[]; onDone: () => void }) {
  const create = useCreateProvider();
  return (
    <Fields
      initial={() => emptyForm("openai", taken)}
      taken={taken}
      submit="Add provider"
      busy={create.isPending}
      error={create.error}
      onChange={() => {
        // Not while it is under way: what comes of it would not be told.
        if (create.isError) create.reset();
      }}
      onSubmit={(form) =>
        create.mutate(toCreate(form), {
          onSuccess: ({ name }) => {
            toast.good(`${name} is added.`);
            onDone();
          },
        })
      }
    />
  );
}

interface EditedProps {
  provider: HostedProvider;
  known: readonly string[];
  onSaved: () => void;
  onDone: () => void;
}

function EditedProvider({ provider, known, onSaved, onDone }: EditedProps) {
  const update = useUpdateProvider(provider.id);

  function save(form: ProviderForm) {
    const body = toUpdate(form, provider);
    if (Object.keys(body).length === 0) return onDone();
    update.mutate(body, {
      onSuccess: ({ name }) => {
        toast.good(`${name} is changed.`);
        onSaved();
        onDone();
      },
    });
  }

  return (
    <Fields
      initial={() => fromProvider(provider)}
      stored={provider}
      known={known}
      submit="Save changes"
      busy={update.isPending}
      error={update.error}
      onChange={() => {
        if (update.isError) update.reset();
      }}
      onSubmit={save}
    />
  );
}

interface DialogProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function AddProviderDialog({ taken, open, onOpenChange }: DialogProps & { taken: readonly string[] }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} wide title="Add a hosted provider" description="Prompts to its models are sent to the company, with your API key and on your bill there.">
      <NewProvider taken={taken} onDone={() => onOpenChange(false)} />
    </Dialog>
  );
}

export function EditProviderDialog({ open, onOpenChange, ...rest }: DialogProps & Omit<EditedProps, "onDone">) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} wide title={`Edit ${rest.provider.name}`}>
      <EditedProvider {...rest} onDone={() => onOpenChange(false)} />
    </Dialog>
  );
}

import type { HostedProvider, HostedProviderKind } from "@/api/types";
import { Field, inputClass, PasswordField, TextField } from "@/ui/Field";
import { Switch } from "@/ui/Switch";

import { isMoved, withKind, type ProviderForm } from "./provider-form";
import { kinds, kindWords } from "./words";

interface FieldsProps {
  form: ProviderForm;
  onChange: (form: ProviderForm) => void;
  errorOf: (field: string) => string | undefined;
}

/** What cannot be another once it is there. */
export function IdentityFields({ form, onChange, errorOf, taken }: FieldsProps & { taken: readonly string[] }) {
  function choose(value: string) {
    const kind: HostedProviderKind | undefined = kinds.find((each) => each === value);
    if (kind) onChange(withKind(form, kind, taken));
  }

  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Field label="Kind" hint={kindWords[form.kind].hint}>
        {(control) => (
          <select {...control} autoFocus value={form.kind} onChange={(event) => choose(event.target.value)} className={inputClass} data-testid="provider-kind">
            {kinds.map((kind) => (
              <option key={kind} value={kind}>
                {kindWords[kind].choice}
              </option>
            ))}
          </select>
        )}
      </Field>
      <TextField
        label="Name"
        mono
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        hint="What completions say that answered them."
        value={form.name}
        onChange={(name) => onChange({ ...form, name })}
        error={errorOf("name")}
        data-testid="provider-name"
      />
    </div>
  );
}

/** Where it is, and what opens it. */
export function AccessFields({ form, onChange, errorOf, stored }: FieldsProps & { stored?: HostedProvider }) {
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <TextField
        label="Base URL"
        optional
        type="url"
        inputMode="url"
        mono
        autoFocus={stored !== undefined}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        placeholder={kindWords[form.kind].url}
        hint="The company's own when empty."
        value={form.url}
        onChange={(url) => onChange({ ...form, url })}
        error={errorOf("base_url")}
        data-testid="provider-url"
      />
      <PasswordField
        label="API key"
        optional={stored !== undefined && !isMoved(form, stored)}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        placeholder={stored && !isMoved(form, stored) ? "stays as it is" : undefined}
        hint="Kept encrypted and never shown again."
        value={form.key}
        onChange={(key) => onChange({ ...form, key })}
        error={errorOf("api_key")}
        data-testid="provider-key"
      />
    </div>
  );
}

export function EnabledField({ form, onChange }: Omit<FieldsProps, "errorOf">) {
  return (
    <div className="flex items-start justify-between gap-4">
      <div>
        <p className="font-medium">Offer its models</p>
        <p className="text-[13px] text-faint">While it is off, nothing is sent there, and the key is kept.</p>
      </div>
      <Switch label="Offer its models" checked={form.enabled} onChange={(enabled) => onChange({ ...form, enabled })} testId="provider-switch" />
    </div>
  );
}

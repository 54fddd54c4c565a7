import { RefreshCw } from "lucide-react";

import type { NotificationChannel, SmtpTls } from "@/api/types";
import { Button } from "@/ui/Button";
import { CopyButton } from "@/ui/Copy";
import { CheckField, Field, inputClass, PasswordField, TextField } from "@/ui/Field";

import { randomSecret, usualPorts, type ChannelForm } from "./channel-form";

interface FieldsProps {
  form: ChannelForm;
  /** The channel that is edited; absent for a new one. */
  stored?: NotificationChannel;
  onChange: (change: Partial<ChannelForm>) => void;
  errorOf: (field: string) => string | undefined;
}

const encryptions: { value: SmtpTls; label: string }[] = [
  { value: "starttls", label: "STARTTLS" },
  { value: "implicit", label: "TLS from the start" },
  { value: "none", label: "None" },
];

function AddressField({ form, stored, onChange, errorOf }: FieldsProps) {
  const slack = form.kind === "slack";
  return (
    <TextField
      label={slack ? "Webhook URL" : "URL"}
      type="url"
      inputMode="url"
      mono
      spellCheck={false}
      autoComplete="off"
      placeholder={stored ? `${stored.settings.url_host ?? ""}: stays as it is` : slack ? "https://hooks.slack.com/services/…" : "https://example.com/hooks/nanoscale"}
      value={form.url}
      onChange={(url) => onChange({ url })}
      error={errorOf("settings.url")}
      hint={slack ? "Slack gives it to an app with incoming webhooks. Kept encrypted and never shown again." : "Kept encrypted and never shown again."}
    />
  );
}

function SecretField({ form, stored, onChange, errorOf }: FieldsProps) {
  const signed = stored?.settings.has_secret === true;
  return (
    <>
      <PasswordField
        label="Signing secret"
        optional
        autoComplete="new-password"
        placeholder={signed ? "stays as it is" : undefined}
        disabled={form.unsigned}
        value={form.secret}
        onChange={(secret) => onChange({ secret })}
        error={errorOf("settings.secret")}
        hint="Each request then carries an HMAC of its body in X-NanoScale-Signature-256."
      />
      <div className="flex flex-wrap items-center gap-2">
        <Button size="sm" icon={RefreshCw} disabled={form.unsigned} onClick={() => onChange({ secret: randomSecret() })}>
          Make one
        </Button>
        {form.secret && <CopyButton text={form.secret} label="Copy the secret" labelled />}
        {signed && <CheckField label="Do not sign any more" checked={form.unsigned} onChange={(unsigned) => onChange({ unsigned, secret: "" })} />}
      </div>
    </>
  );
}

function MailServerFields({ form, stored, onChange, errorOf }: FieldsProps) {
  return (
    <>
      <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_10rem_6rem]">
        <TextField label="Mail server" mono placeholder="smtp.example.com" spellCheck={false} autoComplete="off" autoCapitalize="none" value={form.host} onChange={(host) => onChange({ host })} error={errorOf("settings.host")} />
        <Field label="Encryption" error={errorOf("settings.tls")}>
          {(control) => (
            <select {...control} value={form.tls} onChange={(event) => onChange({ tls: encryptions.find(({ value }) => value === event.target.value)?.value ?? "starttls", port: "" })} className={inputClass}>
              {encryptions.map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <TextField label="Port" inputMode="numeric" placeholder={String(usualPorts[form.tls])} autoComplete="off" value={form.port} onChange={(port) => onChange({ port })} error={errorOf("settings.port")} />
      </div>
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label="User name" optional spellCheck={false} autoComplete="off" autoCapitalize="none" value={form.username} onChange={(username) => onChange({ username })} error={errorOf("settings.username")} />
        <PasswordField
          label="Password"
          autoComplete="new-password"
          placeholder={stored?.settings.has_password ? "stays as it is" : undefined}
          value={form.password}
          onChange={(password) => onChange({ password })}
          error={errorOf("settings.password")}
        />
      </div>
      <TextField label="From" placeholder="NanoScale <cloud@example.com>" spellCheck={false} autoComplete="off" value={form.from} onChange={(from) => onChange({ from })} error={errorOf("settings.from")} />
      <Field label="To" error={errorOf("settings.to")} hint="One address per line.">
        {(control) => (
          <textarea {...control} rows={2} placeholder="ops@example.com" spellCheck={false} value={form.to} onChange={(event) => onChange({ to: event.target.value })} className={`${inputClass} h-auto resize-y`} />
        )}
      </Field>
    </>
  );
}

/** Where a channel sends, by its kind. */
export function SettingsFields(props: FieldsProps) {
  switch (props.form.kind) {
    case "email":
      return <MailServerFields {...props} />;
    case "slack":
      return <AddressField {...props} />;
    case "webhook":
      return (
        <>
          <AddressField {...props} />
          <SecretField {...props} />
        </>
      );
  }
}

import { CircleCheck, Plus, Trash2 } from "lucide-react";
import { useId, useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { Outward, Project, VolumeUse } from "@/api/types";
import { RedeployButton } from "@/features/deployments/actions";
import { formatBytes } from "@/format/quantity";
import { Button, IconButton } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Field, inputClass, TextField } from "@/ui/Field";
import { Prose } from "@/ui/Prose";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { useUpdateProject, useVolumes } from "./queries";
import { fromProject, needsDeployment, problemsOf, removedVolumes, shownFields, toUpdate, volumeRow, type LimitField, type RuntimeForm, type ShownField, type VolumeRow } from "./runtime-form";

interface PartProps {
  form: RuntimeForm;
  onChange: (part: Partial<RuntimeForm>) => void;
  errorOf: (field: ShownField) => string | undefined;
}

const outwards: readonly { value: Outward; label: string; hint: string }[] = [
  { value: "open", label: "The internet", hint: "Every public address; no private network." },
  { value: "only", label: "Only some places", hint: "Those you name, and nothing else." },
  { value: "none", label: "Nothing", hint: "It only answers requests." },
];

function NetworkPart({ form, onChange, errorOf }: PartProps) {
  const name = useId();
  return (
    <Panel title="Network" description="What the app's processes and commands may reach. Never other projects, this machine's own services or a cloud's metadata address.">
      <div className="flex flex-col gap-4">
        <fieldset className="grid gap-2 sm:grid-cols-3">
          <legend className="sr-only">What it may reach</legend>
          {outwards.map(({ value, label, hint }) => (
            <label key={value} className="flex min-w-0 cursor-pointer items-start gap-2.5 rounded-lg border border-line p-3 hover:border-line-strong has-checked:border-accent has-checked:bg-accent-wash">
              <input
                type="radio"
                name={name}
                value={value}
                checked={form.outward === value}
                onChange={() => onChange({ outward: value })}
                data-testid={`outward-${value}`}
                className="mt-0.5 size-4 shrink-0 accent-accent"
              />
              <span className="min-w-0">
                <span className="font-medium">{label}</span>
                <span className="block text-[13px] text-faint">{hint}</span>
              </span>
            </label>
          ))}
        </fieldset>
        {form.outward === "only" && (
          <Field label="Places" error={errorOf("network.destinations")} hint="One per line: a host name, an address or a network, with a port or without.">
            {(control) => (
              <textarea
                {...control}
                rows={3}
                spellCheck={false}
                autoCapitalize="none"
                placeholder={"api.stripe.com:443\n203.0.113.7\n10.1.0.0/16:5432"}
                value={form.destinations}
                onChange={(event) => onChange({ destinations: event.target.value })}
                className={`${inputClass} h-auto resize-y font-mono text-[13px]`}
              />
            )}
          </Field>
        )}
        <TextField
          label="Ports of this machine"
          optional
          mono
          inputMode="numeric"
          autoComplete="off"
          placeholder="5432, 6379"
          hint="Ports of the machine's loopback, a database's for example, that the app then finds at 127.0.0.1 too."
          value={form.hostPorts}
          onChange={(hostPorts) => onChange({ hostPorts })}
          error={errorOf("network.host_ports")}
        />
      </div>
    </Panel>
  );
}

interface VolumeFieldsProps {
  row: VolumeRow;
  index: number;
  invalid: boolean;
  used?: VolumeUse;
  onChange: (row: VolumeRow) => void;
  onRemove: () => void;
}

function VolumeFields({ row, index, invalid, used, onChange, onRemove }: VolumeFieldsProps) {
  const common = { spellCheck: false, autoComplete: "off", autoCapitalize: "none", "aria-invalid": invalid || undefined };
  return (
    <li className="flex flex-col gap-1">
      <div className="flex flex-wrap items-center gap-2">
        <input
          {...common}
          aria-label={`Name of volume ${index + 1}`}
          placeholder="data"
          value={row.name}
          onChange={(event) => onChange({ ...row, name: event.target.value })}
          className={`${inputClass} max-w-36 flex-1 font-mono text-[13px]`}
        />
        <span aria-hidden className="text-faint">
          at
        </span>
        <input
          {...common}
          aria-label={`Path of volume ${index + 1}`}
          placeholder="/data"
          value={row.path}
          onChange={(event) => onChange({ ...row, path: event.target.value })}
          className={`${inputClass} min-w-32 flex-2 font-mono text-[13px]`}
        />
        <span className="flex items-center gap-2 text-faint">
          <input
            {...common}
            aria-label={`Size of volume ${index + 1} in MB`}
            inputMode="numeric"
            placeholder="default"
            value={row.size}
            onChange={(event) => onChange({ ...row, size: event.target.value })}
            className={`${inputClass} max-w-28 text-[13px]`}
          />
          MB
        </span>
        <IconButton label={`Remove volume ${row.name || String(index + 1)}`} icon={Trash2} onClick={onRemove} />
      </div>
      {used && (
        <p data-testid="volume-use" className={`text-[13px] tabular-nums ${used.used_bytes > used.limit_bytes ? "text-bad" : "text-faint"}`}>
          {formatBytes(used.used_bytes)} of {formatBytes(used.limit_bytes)}
        </p>
      )}
    </li>
  );
}

function VolumesPart({ project, form, onChange, errorOf }: PartProps & { project: Project }) {
  const error = errorOf("volumes");
  const removed = removedVolumes(form, project);
  const { data: used } = useVolumes(project.id);
  const set = (volumes: readonly VolumeRow[]) => onChange({ volumes });
  return (
    <Panel
      title="Volumes"
      description="Directories that outlive releases: for a database file, uploads, anything that is written. While one release replaces another, both have the volume open for a moment; so do workers and commands. Beyond its size the app is stopped until there is room; a size holds at once."
    >
      <div className="flex flex-col gap-3">
        {form.volumes.length > 0 && (
          <ul className="flex flex-col gap-2">
            {form.volumes.map((row, index) => (
              <VolumeFields
                key={row.id}
                row={row}
                index={index}
                invalid={error != null}
                used={used?.find(({ name }) => name === row.name)}
                onChange={(next) => set(form.volumes.map((each) => (each.id === row.id ? next : each)))}
                onRemove={() => set(form.volumes.filter((each) => each.id !== row.id))}
              />
            ))}
          </ul>
        )}
        {error && (
          <p role="alert" className="text-[13px] text-bad">
            <Prose>{error}</Prose>
          </p>
        )}
        {removed.length > 0 && (
          <Notice tone="warn">
            {`The files of ${removed.map((name) => `\`${name}\``).join(", ")} stay on the server until the project is deleted. Add a volume of that name again to have them back.`}
          </Notice>
        )}
        <Button size="sm" icon={Plus} className="self-start" onClick={() => set([...form.volumes, volumeRow()])} data-testid="add-volume">
          Add volume
        </Button>
      </div>
    </Panel>
  );
}

const limits: readonly { field: LimitField; label: string; hint: string }[] = [
  { field: "memory_mb", label: "Memory (MB)", hint: "A process that needs more is ended and started again." },
  { field: "cpu_percent", label: "Processor (% of a core)", hint: "150 is one and a half cores." },
  { field: "processes", label: "Processes and threads", hint: "At least 8." },
  { field: "build_memory_mb", label: "Memory of a build (MB)", hint: "For installing and building." },
];

function LimitsPart({ form, onChange, errorOf }: PartProps) {
  return (
    <Panel title="Limits" description="For each process of the app, and each command it runs. What you leave empty is the server's default.">
      <div className="grid gap-4 sm:grid-cols-2">
        {limits.map(({ field, label, hint }) => (
          <TextField
            key={field}
            label={label}
            inputMode="numeric"
            autoComplete="off"
            placeholder="the server's default"
            hint={hint}
            value={form.limits[field]}
            onChange={(value) => onChange({ limits: { ...form.limits, [field]: value } })}
            error={errorOf(`limits.${field}`)}
          />
        ))}
      </div>
    </Panel>
  );
}

/** What a project's processes may use: network, volumes, limits. */
export function RuntimeSettings({ project }: { project: Project }) {
  const [form, setForm] = useState(() => fromProject(project));
  const [tried, setTried] = useState(false);
  const [saved, setSaved] = useState(false);
  const save = useUpdateProject(project.id);
  const update = toUpdate(form, project);
  const changed = Object.keys(update).length > 0;
  const problems = problemsOf(form);

  function change(part: Partial<RuntimeForm>) {
    save.reset();
    setForm((before) => ({ ...before, ...part }));
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!changed || Object.keys(problems).length > 0) return;
    save.mutate(update, {
      onSuccess: () => {
        toast.good("Settings saved.");
        setTried(false);
        setSaved(needsDeployment(update, project));
      },
    });
  }

  const parts = { form, onChange: change, errorOf: (field: ShownField) => (tried ? problems[field] : undefined) ?? fieldError(save.error, field) };
  const failure = formError(save.error, shownFields);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-5" data-testid="runtime-form">
      <NetworkPart {...parts} />
      <VolumesPart project={project} {...parts} />
      <LimitsPart {...parts} />
      {failure && <Notice tone="bad">{failure}</Notice>}
      {saved && !changed && (
        <Notice
          tone="busy"
          icon={CircleCheck}
          action={project.latest_deployment ? <RedeployButton projectId={project.id} size="sm" label="Redeploy to apply" onStarted={() => setSaved(false)} /> : undefined}
        >
          Saved. What runs now stays as it is until the next deployment.
        </Notice>
      )}
      <div className="flex gap-3">
        <Button type="submit" variant="primary" busy={save.isPending} disabled={!changed} data-testid="runtime-save">
          Save network, volumes and limits
        </Button>
        {changed && (
          <Button variant="ghost" onClick={() => change(fromProject(project))}>
            Discard
          </Button>
        )}
      </div>
    </form>
  );
}

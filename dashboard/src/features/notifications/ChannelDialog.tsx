import { ToggleGroup } from "radix-ui";
import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { NotificationChannel, NotificationKind } from "@/api/types";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { emptyForm, fromChannel, problemsOf, shownFields, toCreate, toUpdate, type ChannelForm } from "./channel-form";
import { useCreateChannel, useUpdateChannel } from "./queries";
import { SettingsFields } from "./SettingsFields";
import { TellsFields } from "./TellsFields";
import { TestButton, useChannelTest } from "./TestChannel";
import { kinds, kindWords } from "./words";

function KindChoice({ kind, onChange }: { kind: NotificationKind; onChange: (kind: NotificationKind) => void }) {
  return (
    <div className="flex flex-col gap-1.5">
      <ToggleGroup.Root
        type="single"
        aria-label="Kind of channel"
        value={kind}
        onValueChange={(value) => {
          const chosen = kinds.find((each) => each === value);
          if (chosen) onChange(chosen);
        }}
        className="grid grid-cols-3 rounded-xl bg-sunken p-1"
      >
        {kinds.map((each) => {
          const { word, icon: Icon } = kindWords[each];
          return (
            <ToggleGroup.Item
              key={each}
              value={each}
              data-testid={`kind-${each}`}
              className="inline-flex h-8 items-center justify-center gap-2 rounded-lg px-2 text-soft hover:text-ink data-[state=on]:bg-surface data-[state=on]:font-medium data-[state=on]:text-ink data-[state=on]:shadow-card dark:data-[state=on]:bg-hover"
            >
              <Icon aria-hidden className="size-4" />
              {word}
            </ToggleGroup.Item>
          );
        })}
      </ToggleGroup.Root>
      <p className="text-[13px] text-faint">{kindWords[kind].hint}</p>
    </div>
  );
}

interface FormProps {
  initial: ChannelForm;
  stored?: NotificationChannel;
  submit: string;
  busy: boolean;
  error: unknown;
  onSubmit: (form: ChannelForm) => void;
  onChange: () => void;
}

function ChannelFields({ initial, stored, submit, busy, error, onSubmit, onChange }: FormProps) {
  const [form, setForm] = useState(initial);
  const [tried, setTried] = useState(false);
  const local: Record<string, string | undefined> = problemsOf(form, stored);

  function change(part: Partial<ChannelForm>) {
    onChange();
    setForm((before) => ({ ...before, ...part }));
  }

  function errorOf(field: string): string | undefined {
    return (tried ? local[field] : undefined) ?? fieldError(error, field);
  }

  function send(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!Object.values(local).some(Boolean)) onSubmit(form);
  }

  const failure = formError(error, shownFields);
  return (
    <form onSubmit={send} noValidate data-testid="channel-form" className="flex flex-col gap-4">
      {!stored && <KindChoice kind={form.kind} onChange={(kind) => change({ kind })} />}
      <TextField label="Name" placeholder="Ops team" autoFocus autoComplete="off" value={form.name} onChange={(name) => change({ name })} error={errorOf("name")} />
      <SettingsFields form={form} stored={stored} onChange={change} errorOf={errorOf} />
      <TellsFields form={form} onChange={change} errorOf={errorOf} />
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={busy}>
          {submit}
        </Button>
      </div>
    </form>
  );
}

/** The new channel is there: now it should be seen to work. */
function Added({ channel, onEdit, onDone }: { channel: NotificationChannel; onEdit: () => void; onDone: () => void }) {
  const test = useChannelTest(channel.id);
  return (
    <div className="flex flex-col gap-4">
      {test.outcome}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onEdit}>Change it</Button>
        <TestButton test={test} variant={test.outcome ? undefined : "primary"} />
        <Button variant={test.outcome ? "primary" : undefined} onClick={onDone}>
          Done
        </Button>
      </div>
    </div>
  );
}

function NewChannel({ kind, onAdded }: { kind: NotificationKind; onAdded: (channel: NotificationChannel) => void }) {
  const create = useCreateChannel();
  return (
    <ChannelFields
      initial={emptyForm(kind)}
      submit="Add channel"
      busy={create.isPending}
      error={create.error}
      onChange={create.reset}
      onSubmit={(form) => create.mutate(toCreate(form), { onSuccess: onAdded })}
    />
  );
}

function EditedChannel({ channel, onSaved }: { channel: NotificationChannel; onSaved: (channel: NotificationChannel) => void }) {
  const update = useUpdateChannel(channel.id);
  return (
    <ChannelFields
      initial={fromChannel(channel)}
      stored={channel}
      submit="Save changes"
      busy={update.isPending}
      error={update.error}
      onChange={update.reset}
      onSubmit={(form) => update.mutate(toUpdate(form, channel), { onSuccess: onSaved })}
    />
  );
}

interface AddProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  kind?: NotificationKind;
}

export function AddChannelDialog({ open, onOpenChange, kind = "slack" }: AddProps) {
  const [added, setAdded] = useState<NotificationChannel>();
  const [editing, setEditing] = useState(false);

  function change(next: boolean) {
    if (!next) {
      setAdded(undefined);
      setEditing(false);
    }
    onOpenChange(next);
  }

  function saved(channel: NotificationChannel) {
    setAdded(channel);
    setEditing(false);
  }

  const done = added && !editing;
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={done ? `${added.name} is there` : "Add a notification channel"}
      description={done ? "Send a test to see that it works." : undefined}
    >
      {!added && <NewChannel key={kind} kind={kind} onAdded={saved} />}
      {added && editing && <EditedChannel channel={added} onSaved={saved} />}
      {done && <Added channel={added} onEdit={() => setEditing(true)} onDone={() => change(false)} />}
    </Dialog>
  );
}

export function EditChannelDialog({ channel, open, onOpenChange }: { channel: NotificationChannel; open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={`Change ${channel.name}`}>
      <EditedChannel
        channel={channel}
        onSaved={({ name }) => {
          toast.good(`${name} is changed.`);
          onOpenChange(false);
        }}
      />
    </Dialog>
  );
}

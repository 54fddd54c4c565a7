import { CircleCheck, CirclePause, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { HostedModel, HostedProvider } from "@/api/types";
import { formatPrice } from "@/features/enrolments/enrolment-state";
import { rowId } from "@/features/topology/rows";
import { Badge, Chip } from "@/ui/Badge";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Dialog";
import { toast } from "@/ui/toast-store";

import { CheckButton, CheckResult, useProviderCheck } from "./CheckProvider";
import { EditProviderDialog } from "./ProviderDialog";
import { useDeleteProvider } from "./queries";
import { kindWords } from "./words";

/** Those that are shown at first. */
const FEW = 8;

function Models({ models }: { models: HostedModel[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? models : models.slice(0, FEW);
  return (
    <div>
      <ul aria-label="Models" className="flex flex-col gap-1">
        {shown.map((model) => (
          <li key={model.name} data-testid="provider-model" data-name={model.name} className="flex flex-wrap items-baseline justify-between gap-x-4 text-[13px]">
            <span className="min-w-0 wrap-anywhere">{model.name}</span>
            <span className="flex flex-wrap gap-x-4 text-faint tabular-nums">
              <span title="Tokens that fit into a request with its answer">context {model.context.toLocaleString("en-US")}</span>
              <span title="Credits for a million tokens">{formatPrice(model)}</span>
            </span>
          </li>
        ))}
      </ul>
      {shown.length < models.length && (
        <Button size="sm" variant="ghost" onClick={() => setAll(true)} className="mt-1 -ml-2.5">
          All {models.length} models
        </Button>
      )}
    </div>
  );
}

function RemoveButton({ provider: { id, name } }: { provider: HostedProvider }) {
  const [open, setOpen] = useState(false);
  const remove = useDeleteProvider(id);
  return (
    <>
      <Button
        size="sm"
        icon={Trash2}
        aria-label={`Remove ${name}`}
        data-testid="provider-remove"
        onClick={() => {
          remove.reset();
          setOpen(true);
        }}
      >
        Remove
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        title={`Remove ${name}?`}
        description="Nothing is sent there any more, and its key is forgotten. What is under way goes on."
        confirm="Remove"
        testId="provider-remove-confirm"
        danger
        busy={remove.isPending}
        error={remove.error ? messageOf(remove.error) : undefined}
        onConfirm={() => remove.mutate(undefined, { onSuccess: () => toast.good(`${name} is removed.`) })}
      />
    </>
  );
}

function Standing({ enabled }: { enabled: boolean }) {
  return enabled ? (
    <Badge tone="good" icon={CircleCheck}>
      On
    </Badge>
  ) : (
    <Badge tone="calm" icon={CirclePause}>
      Switched off
    </Badge>
  );
}

/** A company, with what is offered of it. */
export function ProviderRow({ provider }: { provider: HostedProvider }) {
  const { id, node_id, name, kind, base_url, models, enabled } = provider;
  const [editing, setEditing] = useState(false);
  const check = useProviderCheck(id);
  return (
    <li id={rowId(node_id)} tabIndex={-1} data-testid="provider-row" data-name={name} data-enabled={enabled} className="flex flex-col gap-3 py-4">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
            <span className="font-medium wrap-anywhere">{name}</span>
            <Chip>{kindWords[kind].word}</Chip>
            <Standing enabled={enabled} />
          </p>
          <p className="mt-0.5 font-mono text-[13px] wrap-anywhere text-faint">{base_url}</p>
        </div>
        <div className="flex flex-wrap gap-2">
          <CheckButton check={check} provider={provider} />
          <Button size="sm" icon={Pencil} aria-label={`Edit ${name}`} onClick={() => setEditing(true)} data-testid="provider-edit">
            Edit
          </Button>
          <RemoveButton provider={provider} />
        </div>
      </div>
      <CheckResult check={check} onChoose={() => setEditing(true)} />
      <Models models={models} />
      <EditProviderDialog provider={provider} known={check.models} open={editing} onOpenChange={setEditing} onSaved={check.forget} />
    </li>
  );
}

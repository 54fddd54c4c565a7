import { Plus, SquarePen } from "lucide-react";
import { useState } from "react";

import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Field, inputClass, TextField } from "@/ui/Field";

import { parseMaxTokens } from "./conversation";

interface ChatSettingsProps {
  /** Those that can be asked now. */
  models: readonly string[];
  model: string;
  /** The company that is asked, where the model is one's. */
  hostedBy?: string;
  maxTokens: string;
  system: string;
  onChange: (settings: { model?: string; maxTokens?: string; system?: string }) => void;
  /** Begins anew, where there is something to forget. */
  onClear?: () => void;
}

function LeavesYourMachines({ company }: { company: string }) {
  return (
    <span data-testid="model-hosted" className="wrap-anywhere text-warn">
      Asked of {company}: what you write leaves your machines.
    </span>
  );
}

/** Who is asked, and how. */
export function ChatSettings({ models, model, hostedBy, maxTokens, system, onChange, onClear }: ChatSettingsProps) {
  const [open, setOpen] = useState(system !== "");
  const gone = model !== "" && !models.includes(model);
  return (
    <Card className="flex flex-col gap-4 p-4 sm:p-5">
      <div className="grid grid-cols-[minmax(0,1fr)_7.5rem] gap-4">
        <Field label="Model" hint={hostedBy && <LeavesYourMachines company={hostedBy} />} error={gone ? "No machine serves it at this moment." : undefined}>
          {(control) => (
            <select {...control} value={model} onChange={(event) => onChange({ model: event.target.value })} className={inputClass}>
              {gone && <option value={model}>{model}</option>}
              {models.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <TextField
          label="Max tokens"
          inputMode="numeric"
          autoComplete="off"
          value={maxTokens}
          onChange={(value) => onChange({ maxTokens: value })}
          error={parseMaxTokens(maxTokens) === undefined ? "A whole number from 1." : undefined}
        />
      </div>
      {open && (
        <Field label="System prompt" optional hint="What the model is told before everything else.">
          {(control) => (
            <textarea {...control} rows={2} value={system} onChange={(event) => onChange({ system: event.target.value })} className={`${inputClass} h-auto max-h-60 resize-y`} />
          )}
        </Field>
      )}
      {(!open || onClear) && (
        <div className="-my-1 flex flex-wrap gap-2">
          {!open && (
            <Button size="sm" variant="ghost" icon={Plus} onClick={() => setOpen(true)} className="-ml-2.5">
              System prompt
            </Button>
          )}
          {onClear && (
            <Button size="sm" variant="ghost" icon={SquarePen} onClick={onClear} className="ml-auto">
              New chat
            </Button>
          )}
        </div>
      )}
    </Card>
  );
}

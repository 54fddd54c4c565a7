import { useId } from "react";

import { useModelNames } from "@/features/completions/queries";
import { CheckField, TextField } from "@/ui/Field";

import { choicesOf, problemsOf, toggleModel, type LimitsForm } from "./limits";

interface ModelChoiceProps {
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
}

function ModelChoice({ chosen, onChange }: ModelChoiceProps) {
  const hint = useId();
  const { data: served = [] } = useModelNames();
  const choices = choicesOf(served, chosen);
  if (choices.length === 0) return null;
  return (
    <fieldset aria-describedby={hint} data-testid="limit-models">
      <legend className="font-medium">
        Models<span className="ml-1.5 font-normal text-faint">optional</span>
      </legend>
      <p id={hint} className="text-[13px] text-faint">
        None chosen means all.
      </p>
      <div className="mt-1.5 flex max-h-40 flex-col gap-2 overflow-y-auto wrap-anywhere">
        {choices.map(({ model, gone }) => (
          <CheckField
            key={model}
            label={model}
            hint={gone ? "No machine serves it now." : undefined}
            checked={chosen.includes(model)}
            onChange={(present) => onChange(toggleModel(chosen, model, present))}
            testId={`limit-model-${model}`}
          />
        ))}
      </div>
    </fieldset>
  );
}

interface LimitFieldsProps {
  form: LimitsForm;
  onChange: (change: Partial<LimitsForm>) => void;
  /** Whether what is wrong is said: not before somebody tried. */
  tried: boolean;
}

/** What a token may ask models at most. */
export function LimitFields({ form, onChange, tried }: LimitFieldsProps) {
  const problems = tried ? problemsOf(form) : {};
  return (
    <div className="flex flex-col gap-4" data-testid="token-limits">
      <ModelChoice chosen={form.models} onChange={(models) => onChange({ models })} />
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField
          label="Requests a minute"
          optional
          inputMode="numeric"
          autoComplete="off"
          placeholder="30"
          value={form.perMinute}
          onChange={(perMinute) => onChange({ perMinute })}
          error={problems.perMinute}
          data-testid="limit-per-minute"
        />
        <TextField
          label="Credits in all"
          optional
          inputMode="decimal"
          autoComplete="off"
          placeholder="2.5"
          value={form.credits}
          onChange={(credits) => onChange({ credits })}
          error={problems.credits}
          data-testid="limit-credits"
        />
      </div>
    </div>
  );
}

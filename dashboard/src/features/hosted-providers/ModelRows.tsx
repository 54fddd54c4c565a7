import { Plus, Trash2 } from "lucide-react";
import { useId, useState } from "react";

import { Button, IconButton } from "@/ui/Button";
import { TextField } from "@/ui/Field";
import { Prose } from "@/ui/Prose";

import { newRow, type ModelRow, type RowProblems } from "./model-rows";

interface RowProps {
  row: ModelRow;
  problems: RowProblems;
  /** Was added just now. */
  fresh: boolean;
  onChange: (part: Partial<ModelRow>) => void;
  onRemove: () => void;
}

function Row({ row, problems, fresh, onChange, onRemove }: RowProps) {
  const name = row.name.trim() || "the new model";
  return (
    <li className="relative rounded-lg border border-line p-3">
      <div role="group" aria-label={name} className="grid grid-cols-3 items-start gap-3 sm:grid-cols-[minmax(0,1fr)_8rem_6.5rem_8rem]">
        <div className="col-span-3 sm:col-span-1">
          <TextField
            label="Model"
            mono
            placeholder="as the company calls it"
            autoFocus={fresh}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            value={row.name}
            onChange={(text) => onChange({ name: text })}
            error={problems.name}
            data-testid="provider-model-name"
          />
        </div>
        <TextField
          label="Context"
          inputMode="numeric"
          autoComplete="off"
          placeholder="128000"
          value={row.context}
          onChange={(context) => onChange({ context })}
          error={problems.context}
          data-testid="provider-model-context"
        />
        <TextField
          label="Input"
          inputMode="decimal"
          autoComplete="off"
          placeholder="3"
          value={row.input}
          onChange={(input) => onChange({ input })}
          error={problems.input}
          data-testid="provider-model-input"
        />
        <TextField
          label="Output"
          inputMode="decimal"
          autoComplete="off"
          placeholder="15"
          value={row.output}
          onChange={(output) => onChange({ output })}
          error={problems.output}
          data-testid="provider-model-output"
        />
      </div>
      <IconButton label={`Remove ${name}`} icon={Trash2} onClick={onRemove} className="absolute top-1.5 right-1.5" data-testid="provider-model-remove" />
    </li>
  );
}

interface ModelRowsProps {
  rows: readonly ModelRow[];
  problems: ReadonlyMap<number, RowProblems>;
  /** What is wrong with them as a whole. */
  errors: readonly string[];
  onChange: (rows: ModelRow[]) => void;
}

/** The editor for the models that are offered. */
export function ModelRows({ rows, problems, errors, onChange }: ModelRowsProps) {
  const about = useId();
  const [added, setAdded] = useState<number>();

  function add() {
    const row = newRow();
    setAdded(row.id);
    onChange([...rows, row]);
  }

  return (
    <fieldset aria-describedby={about} className="min-w-0">
      <legend className="font-medium">Models</legend>
      <p id={about} className="text-[13px] text-faint">
        The context is how many tokens fit into a request with its answer. Prices are credits for a million tokens of the prompt and of the answer, in whole numbers.
      </p>
      {rows.length > 0 && (
        <ul aria-label="Offered models" className="mt-2 flex flex-col gap-2">
          {rows.map((row) => (
            <Row
              key={row.id}
              row={row}
              problems={problems.get(row.id) ?? {}}
              fresh={row.id === added}
              onChange={(part) => onChange(rows.map((each) => (each.id === row.id ? { ...each, ...part } : each)))}
              onRemove={() => onChange(rows.filter((each) => each.id !== row.id))}
            />
          ))}
        </ul>
      )}
      {errors.length > 0 && (
        <div role="alert" className="mt-1.5 text-[13px] wrap-anywhere text-bad">
          {errors.map((error) => (
            <p key={error}>
              <Prose>{error}</Prose>
            </p>
          ))}
        </div>
      )}
      <Button size="sm" icon={Plus} onClick={add} className="mt-2" data-testid="provider-model-add">
        Add model
      </Button>
    </fieldset>
  );
}

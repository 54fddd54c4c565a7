import { Eye, Lock, Plus, Trash2, Undo2 } from "lucide-react";
import { useState, type ClipboardEvent } from "react";

import { Button, IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { inputClass } from "@/ui/Field";
import { toast } from "@/ui/toast-store";
import { plural } from "@/format/quantity";

import { looksLikeDotenv, parseDotenv } from "./dotenv";
import { blankRow, mergePasted, withSecret, type EnvRow } from "./env-draft";

interface RowProps {
  row: EnvRow;
  problem?: string;
  /** Was added just now. */
  fresh: boolean;
  /** Whether it can be chosen that the value is shown. */
  withSecrets: boolean;
  onChange: (row: EnvRow) => void;
  onRemove: () => void;
  onPaste: (event: ClipboardEvent<HTMLInputElement>) => void;
}

function Row({ row, problem, fresh, withSecrets, onChange, onRemove, onPaste }: RowProps) {
  const name = row.key || "new variable";
  const hidden = row.stored && row.wasSecret && row.value === undefined;
  // A value that is shown is edited in place.
  const edit = (text: string) => onChange({ ...row, value: row.stored && !row.wasSecret && text === row.shown ? undefined : text });
  return (
    <li className="py-1.5">
      <div className="grid grid-cols-[1fr_auto] items-start gap-x-2 gap-y-1.5 sm:grid-cols-[minmax(0,2fr)_minmax(0,3fr)_auto]">
        <input
          aria-label="Name"
          placeholder="NAME"
          value={row.key}
          readOnly={row.stored}
          autoFocus={fresh}
          spellCheck={false}
          autoCapitalize="characters"
          autoComplete="off"
          aria-invalid={problem ? true : undefined}
          aria-describedby={problem ? `env-${row.id}` : undefined}
          onChange={(event) => onChange({ ...row, key: event.target.value })}
          onPaste={onPaste}
          className={classes(inputClass, "font-mono text-[13px]")}
        />
        <div className="order-3 col-span-2 flex items-start gap-1 sm:order-none sm:col-span-1">
          {hidden ? (
            <>
              <span className="flex h-9 min-w-0 flex-1 items-center rounded-lg border border-line bg-sunken px-3 text-faint" title="Stored values are never shown">
                <span aria-hidden className="truncate tracking-widest">
                  ••••••••••
                </span>
                <span className="sr-only">The stored value of {name} is hidden</span>
              </span>
              <Button className="h-9!" size="sm" aria-label={`Replace ${name}`} onClick={() => onChange({ ...row, value: "" })}>
                Replace
              </Button>
            </>
          ) : (
            <>
              <textarea
                aria-label={`Value of ${name}`}
                placeholder={row.stored ? "New value" : "value"}
                rows={1}
                autoFocus={row.stored && row.wasSecret}
                spellCheck={false}
                autoComplete="off"
                value={row.value ?? row.shown ?? ""}
                onChange={(event) => edit(event.target.value)}
                className={classes(inputClass, "field-sizing-content h-auto max-h-40 min-h-9 resize-none font-mono text-[13px] leading-6")}
              />
              {row.stored && row.value !== undefined && (
                <IconButton
                  className="size-9!"
                  label={`Undo replacing ${name}`}
                  icon={Undo2}
                  onClick={() => onChange({ ...row, value: undefined, secret: row.wasSecret ?? row.secret })}
                />
              )}
            </>
          )}
        </div>
        <div className="flex">
          {withSecrets && (
            <IconButton
              className="size-9!"
              label={row.secret ? `${name} is secret: show its value from now on` : `${name} is shown: make it secret`}
              icon={row.secret ? Lock : Eye}
              onClick={() => onChange(withSecret(row, !row.secret))}
            />
          )}
          <IconButton className="size-9!" label={`Remove ${name}`} icon={Trash2} onClick={onRemove} />
        </div>
      </div>
      {problem && (
        <p id={`env-${row.id}`} role="alert" className="mt-1 text-[13px] text-bad">
          {problem}
        </p>
      )}
    </li>
  );
}

interface EnvRowsProps {
  rows: readonly EnvRow[];
  problems: ReadonlyMap<number, string>;
  /** Whether it can be chosen which values are shown; all are secret otherwise. */
  withSecrets?: boolean;
  onChange: (rows: EnvRow[]) => void;
}

/** The editor for environment variables; a .env file pasted into a name becomes rows. */
export function EnvRows({ rows, problems, withSecrets = false, onChange }: EnvRowsProps) {
  const [added, setAdded] = useState<number>();

  function paste(event: ClipboardEvent<HTMLInputElement>) {
    const text = event.clipboardData.getData("text");
    if (!looksLikeDotenv(text)) return;
    const pasted = parseDotenv(text);
    if (pasted.length === 0) return;
    event.preventDefault();
    onChange(mergePasted(rows, pasted));
    toast.good(`Took ${plural(pasted.length, "variable")} from what you pasted.`);
  }

  function add() {
    const row = blankRow();
    setAdded(row.id);
    onChange([...rows, row]);
  }

  return (
    <div>
      <ul aria-label="Environment variables">
        {rows.map((row) => (
          <Row
            key={row.id}
            row={row}
            fresh={row.id === added}
            withSecrets={withSecrets}
            problem={problems.get(row.id)}
            onChange={(next) => onChange(rows.map((each) => (each.id === row.id ? next : each)))}
            onRemove={() => onChange(rows.filter((each) => each.id !== row.id))}
            onPaste={paste}
          />
        ))}
      </ul>
      <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-1">
        <Button size="sm" icon={Plus} onClick={add}>
          Add variable
        </Button>
        <span className="text-[13px] text-faint">Tip: paste a whole .env file into a name.</span>
      </div>
    </div>
  );
}

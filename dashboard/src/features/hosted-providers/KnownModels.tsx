import { useId, useState } from "react";

import { CheckField, inputClass } from "@/ui/Field";

import { hasModel, toggleModel, type ModelRow } from "./model-rows";

/** More than these are searched. */
const FEW = 12;

interface KnownModelsProps {
  /** All that the company has for the key. */
  names: readonly string[];
  rows: readonly ModelRow[];
  onChange: (rows: ModelRow[]) => void;
}

/** What a company has, to choose from. */
export function KnownModels({ names, rows, onChange }: KnownModelsProps) {
  const about = useId();
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLowerCase();
  const found = names.filter((name) => name.toLowerCase().includes(wanted));
  return (
    <fieldset aria-describedby={about} className="min-w-0" data-testid="provider-known-models">
      <legend className="font-medium">What the company has</legend>
      <p id={about} className="text-[13px] text-faint">
        Choose what you offer, then say its context and its prices above.
      </p>
      {names.length > FEW && (
        <input
          type="search"
          aria-label="Search the company's models"
          placeholder="Search"
          autoComplete="off"
          spellCheck={false}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
          // Nothing is saved with it.
          onKeyDown={(event) => {
            if (event.key === "Enter") event.preventDefault();
          }}
          className={`${inputClass} mt-1.5`}
        />
      )}
      {found.length === 0 && <p className="mt-1.5 text-soft">None is called so.</p>}
      <div className="mt-1.5 flex max-h-40 flex-col gap-2 overflow-y-auto wrap-anywhere">
        {found.map((name) => (
          <CheckField key={name} label={name} checked={hasModel(rows, name)} onChange={(offered) => onChange(toggleModel(rows, name, offered))} testId={`provider-known-${name}`} />
        ))}
      </div>
    </fieldset>
  );
}

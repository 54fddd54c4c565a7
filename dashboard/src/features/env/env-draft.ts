import type { EnvVar, EnvVarInput, EnvVarUpdate } from "@/api/types";

/** A variable as it is being edited. */
export interface EnvRow {
  id: number;
  key: string;
  /** Absent: what the server has under this key stays. */
  value?: string;
  /** Whether the server has a value under this key. */
  stored: boolean;
}

let nextId = 1;

export function blankRow(): EnvRow {
  return { id: nextId++, key: "", value: "", stored: false };
}

export function fromStored(variables: readonly EnvVar[]): EnvRow[] {
  return variables.map(({ key }) => ({ id: nextId++, key, stored: true }));
}

function isBlank(row: EnvRow): boolean {
  return row.key.trim() === "" && !row.stored && (row.value ?? "") === "";
}

/** Puts pasted variables in: over those with the same name, the rest at the end. Blank rows give way. */
export function mergePasted(rows: readonly EnvRow[], pasted: readonly EnvVarInput[]): EnvRow[] {
  const left = new Map(pasted.map(({ key, value }) => [key, value]));
  const merged: EnvRow[] = [];
  for (const row of rows) {
    if (isBlank(row)) continue;
    const value = left.get(row.key);
    left.delete(row.key);
    merged.push(value === undefined ? row : { ...row, value });
  }
  for (const [key, value] of left) merged.push({ id: nextId++, key, value, stored: false });
  return merged;
}

const KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What is wrong, by row id. */
export function problemsOf(rows: readonly EnvRow[]): Map<number, string> {
  const problems = new Map<number, string>();
  const seen = new Set<string>();
  for (const row of rows) {
    if (isBlank(row)) continue;
    const key = row.key.trim();
    if (key === "") problems.set(row.id, "Give it a name.");
    else if (!KEY.test(key)) problems.set(row.id, "Letters, digits and _ only, not beginning with a digit.");
    else if (seen.has(key)) problems.set(row.id, `${key} is there twice.`);
    seen.add(key);
  }
  return problems;
}

/** For a new project: every variable with its value. */
export function toInputs(rows: readonly EnvRow[]): EnvVarInput[] {
  return rows.filter((row) => !isBlank(row)).map((row) => ({ key: row.key.trim(), value: row.value ?? "" }));
}

/** For the whole set: what was not touched goes without its value, which nobody here knows. */
export function toUpdates(rows: readonly EnvRow[]): EnvVarUpdate[] {
  return rows
    .filter((row) => !isBlank(row))
    .map((row) => (row.value === undefined ? { key: row.key } : { key: row.key.trim(), value: row.value }));
}

export interface EnvChanges {
  added: number;
  replaced: number;
  removed: number;
}

export function changesOf(rows: readonly EnvRow[], stored: readonly EnvVar[]): EnvChanges {
  const kept = new Set(rows.filter((row) => row.stored).map((row) => row.key));
  return {
    added: rows.filter((row) => !row.stored && !isBlank(row)).length,
    replaced: rows.filter((row) => row.stored && row.value !== undefined).length,
    removed: stored.filter(({ key }) => !kept.has(key)).length,
  };
}

export function isChanged({ added, replaced, removed }: EnvChanges): boolean {
  return added + replaced + removed > 0;
}

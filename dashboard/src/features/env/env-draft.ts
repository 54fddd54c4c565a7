import type { EnvVarInput, EnvVarUpdate, RuntimeEnvVar } from "@/api/types";

/** A variable as the server has it; the value of a secret is not told. */
export type StoredVar = Pick<RuntimeEnvVar, "key" | "value" | "is_secret">;

/** A variable as it is being edited. */
export interface EnvRow {
  id: number;
  key: string;
  /** Absent: what the server has under this key stays. */
  value?: string;
  /** Whether the server has a value under this key. */
  stored: boolean;
  /** Its value is never shown again. */
  secret: boolean;
  /** What it was on the server. */
  wasSecret?: boolean;
  /** The value that the server shows. */
  shown?: string;
}

let nextId = 1;

export function blankRow(): EnvRow {
  return { id: nextId++, key: "", value: "", stored: false, secret: true };
}

export function fromStored(variables: readonly StoredVar[]): EnvRow[] {
  return variables.map(({ key, value, is_secret }) => ({ id: nextId++, key, stored: true, secret: is_secret, wasSecret: is_secret, shown: value ?? undefined }));
}

/** Turned round. A secret cannot be uncovered: its value has to be given anew. */
export function withSecret(row: EnvRow, secret: boolean): EnvRow {
  const needsValue = !secret && row.stored && row.wasSecret && row.value === undefined;
  return { ...row, secret, value: needsValue ? "" : row.value };
}

/** What the server will have once this is saved. */
export function afterSave(rows: readonly EnvRow[]): StoredVar[] {
  return rows
    .filter((row) => !isBlank(row))
    .map((row) => ({ key: row.key.trim(), is_secret: row.secret, value: row.secret ? undefined : (row.value ?? row.shown) }));
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
  for (const [key, value] of left) merged.push({ id: nextId++, key, value, stored: false, secret: true });
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

/** For the whole set: what was not touched goes without its value, which of a secret nobody here knows. */
export function toUpdates(rows: readonly EnvRow[]): EnvVarUpdate[] {
  return rows
    .filter((row) => !isBlank(row))
    .map((row) => ({
      key: row.stored ? row.key : row.key.trim(),
      ...(row.value === undefined ? {} : { value: row.value }),
      ...(row.secret === (row.wasSecret ?? true) ? {} : { is_secret: row.secret }),
    }));
}

export interface EnvChanges {
  added: number;
  replaced: number;
  removed: number;
}

export function changesOf(rows: readonly EnvRow[], stored: readonly StoredVar[]): EnvChanges {
  const kept = new Set(rows.filter((row) => row.stored).map((row) => row.key));
  return {
    added: rows.filter((row) => !row.stored && !isBlank(row)).length,
    replaced: rows.filter((row) => row.stored && (row.value !== undefined || row.secret !== row.wasSecret)).length,
    removed: stored.filter(({ key }) => !kept.has(key)).length,
  };
}

export function isChanged({ added, replaced, removed }: EnvChanges): boolean {
  return added + replaced + removed > 0;
}

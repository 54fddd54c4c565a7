import type { HostedModel } from "@/api/types";

/** A model as it stands in the inputs. */
export interface ModelRow {
  /** Only to tell rows apart. */
  id: number;
  name: string;
  context: string;
  input: string;
  output: string;
}

export type RowProblems = Partial<Record<"name" | "context" | "input" | "output", string>>;

const CONTEXT_MIN = 256;
const CONTEXT_MAX = 16_777_216;
const PRICE_MAX = 4_294_967_295;

/** Tokens that fit into a request; undefined when what was typed is no such number. */
export function parseContext(text: string): number | undefined {
  const count = Number(text.trim());
  return /^\d+$/.test(text.trim()) && count >= CONTEXT_MIN && count <= CONTEXT_MAX ? count : undefined;
}

/** Credits for a million tokens, in microcredits for one: the same number, and a whole one. */
export function parsePrice(text: string): number | undefined {
  const [, whole = ""] = /^(\d+)(?:\.0+)?$/.exec(text.trim()) ?? [];
  const price = Number(whole);
  return whole && price <= PRICE_MAX ? price : undefined;
}

let nextId = 1;

/** One that says no more than a name. */
export function newRow(name = ""): ModelRow {
  return { id: nextId++, name, context: "", input: "", output: "" };
}

export function rowsOf(models: readonly HostedModel[]): ModelRow[] {
  return models.map(({ name, context, input_price, output_price }) => ({
    ...newRow(name),
    context: String(context),
    input: String(input_price),
    output: String(output_price),
  }));
}

function isBlank({ name, context, input, output }: ModelRow): boolean {
  return [name, context, input, output].every((text) => text.trim() === "");
}

export function hasModel(rows: readonly ModelRow[], name: string): boolean {
  return rows.some((row) => row.name.trim() === name);
}

/** Offers a model, or does not any more. What nobody has filled in makes room for it. */
export function toggleModel(rows: readonly ModelRow[], name: string, offered: boolean): ModelRow[] {
  if (!offered) return rows.filter((row) => row.name.trim() !== name);
  return hasModel(rows, name) ? [...rows] : [...rows.filter((row) => !isBlank(row)), newRow(name)];
}

function problemsOf(row: ModelRow, before: readonly ModelRow[]): RowProblems {
  const name = row.name.trim();
  const price = "A whole number from 0, such as 3.";
  return {
    ...(!name && { name: "Say what the company calls it." }),
    ...(name && hasModel(before, name) && { name: "This model is there twice." }),
    ...(parseContext(row.context) === undefined && { context: `A whole number from ${CONTEXT_MIN} to ${CONTEXT_MAX}.` }),
    ...(parsePrice(row.input) === undefined && { input: price }),
    ...(parsePrice(row.output) === undefined && { output: price }),
  };
}

/** What can be seen to be wrong, by row. */
export function rowProblems(rows: readonly ModelRow[]): Map<number, RowProblems> {
  const problems = rows.map((row, index) => [row.id, problemsOf(row, rows.slice(0, index))] as const);
  return new Map(problems.filter(([, each]) => Object.keys(each).length > 0));
}

/** What is sent of rows without problems. */
export function modelsOf(rows: readonly ModelRow[]): HostedModel[] {
  return rows.map(({ name, context, input, output }) => ({
    name: name.trim(),
    context: parseContext(context) ?? 0,
    input_price: parsePrice(input) ?? 0,
    output_price: parsePrice(output) ?? 0,
  }));
}

/** Whether the rows say just these models, in this order. */
export function saysTheSame(rows: readonly ModelRow[], models: readonly HostedModel[]): boolean {
  const now = modelsOf(rows);
  return (
    now.length === models.length &&
    models.every(({ name, context, input_price, output_price }, index) => {
      const row = now[index];
      return row?.name === name && row.context === context && row.input_price === input_price && row.output_price === output_price;
    })
  );
}

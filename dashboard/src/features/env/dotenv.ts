import type { EnvVarInput } from "@/api/types";

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=[ \t]*/;

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\", $: "$" };

/**
 * Reads what people have in a .env file: comments, `export`, quotes of three kinds, values over several lines.
 * Of a key that is there twice, the later value holds. Lines that are no assignment are passed over.
 */
export function parseDotenv(text: string): EnvVarInput[] {
  const found = new Map<string, string>();
  let rest = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  while (rest !== "") {
    const assignment = ASSIGNMENT.exec(rest);
    const key = assignment?.[1];
    if (!assignment || key === undefined || rest.slice(0, assignment[0].length).trimStart().startsWith("#")) {
      rest = afterLine(rest);
      continue;
    }
    const { value, length } = readValue(rest.slice(assignment[0].length));
    found.set(key, value);
    rest = afterLine(rest.slice(assignment[0].length + length));
  }
  return [...found].map(([key, value]) => ({ key, value }));
}

function afterLine(text: string): string {
  const end = text.indexOf("\n");
  return end === -1 ? "" : text.slice(end + 1);
}

function readValue(text: string): { value: string; length: number } {
  const quote = text[0];
  if (quote === '"' || quote === "'" || quote === "`") {
    const end = closingQuote(text, quote);
    if (end !== -1) {
      const inner = text.slice(1, end);
      const value = quote === '"' ? inner.replace(/\\([nrt"\\$])/g, (_all, code: string) => ESCAPES[code] ?? code) : inner;
      return { value, length: end + 1 };
    }
  }
  const lineEnd = text.indexOf("\n");
  const line = lineEnd === -1 ? text : text.slice(0, lineEnd);
  return { value: line.replace(/(^|\s)#.*$/, "").trim(), length: line.length };
}

function closingQuote(text: string, quote: string): number {
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] === "\\" && quote === '"') at += 1;
    else if (text[at] === quote) return at;
  }
  return -1;
}

/** Whether somebody pasted assignments where one name belongs. */
export function looksLikeDotenv(text: string): boolean {
  return ASSIGNMENT.test(text) || text.includes("\n");
}

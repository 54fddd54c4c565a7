import type { ErrorBody } from "./types";

/** A request that failed, as the server's envelope says it, or because no server answered (status 0). */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> = {},
    /** Seconds until it is worth trying again, from `Retry-After`. */
    readonly retryAfter?: number,
    /** By which the server knows the request, from `X-Request-Id`. */
    readonly requestId?: string,
  ) {
    super(message);
  }

  /** The input field that the server found fault with. */
  get field(): string | undefined {
    return typeof this.details.field === "string" ? this.details.field : undefined;
  }
}

interface FieldProblem {
  field: string;
  message: string;
}

/** Everything the server found fault with: all of it where it says so, else the one field it names. */
function problemsOf(error: ApiError): FieldProblem[] {
  const listed: unknown[] = Array.isArray(error.details.problems) ? error.details.problems : [];
  const problems = listed.flatMap((it) => (isRecord(it) && typeof it.field === "string" && typeof it.message === "string" ? [{ field: it.field, message: asSentence(it.message) }] : []));
  if (problems.length > 0) return problems;
  return error.field ? [{ field: error.field, message: error.message }] : [];
}

export function isErrorBody(value: unknown): value is ErrorBody {
  return (
    typeof value === "object" &&
    value !== null &&
    "error" in value &&
    typeof value.error === "string" &&
    "message" in value &&
    typeof value.message === "string"
  );
}

/** How the routes below `/v1` that other programs know say it, also in the middle of a stream. */
export function openAiError(value: unknown): { code: string; message: string } | undefined {
  const error = isRecord(value) ? value.error : undefined;
  if (!isRecord(error) || typeof error.message !== "string") return undefined;
  const code = [error.code, error.type].find((it) => typeof it === "string");
  return { code: typeof code === "string" ? code : "UNKNOWN", message: asSentence(error.message) };
}

export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (!header) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, Math.ceil(seconds));
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The API's sentences begin small and end without a period, as its command line's do. */
export function asSentence(text: string): string {
  const sentence = text.trim();
  return sentence.charAt(0).toUpperCase() + sentence.slice(1) + (/[\p{L}\p{N}`)"'”]$/u.test(sentence) ? "." : "");
}

/** Turns whatever was thrown into a sentence for the reader. */
export function messageOf(error: unknown): string {
  return error instanceof Error && error.message ? error.message : "Something went wrong.";
}

/** All messages that belong to the inputs called `field`. */
export function fieldErrors(error: unknown, field: string): string[] {
  if (!(error instanceof ApiError)) return [];
  const ofField = (it: FieldProblem) => it.field === field || it.field.startsWith(`${field}.`) || it.field.startsWith(`${field}[`);
  return problemsOf(error).filter(ofField).map(({ message }) => message);
}

/** The message that belongs under the input called `field`. */
export function fieldError(error: unknown, field: string): string | undefined {
  return fieldErrors(error, field)[0];
}

/** The message of an error that no input shown can carry. */
export function formError(error: unknown, fields: readonly string[]): string | undefined {
  if (!error) return undefined;
  return fields.some((field) => fieldError(error, field)) ? undefined : messageOf(error);
}

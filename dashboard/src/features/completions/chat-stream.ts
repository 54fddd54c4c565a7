import { ApiError, isRecord, openAiError } from "@/api/error";

/** What a streamed answer brings, one after the other. */
export type ChatPiece =
  | { kind: "text"; text: string }
  /** What a model thinks before it answers. */
  | { kind: "reasoning"; text: string }
  | { kind: "usage"; input: number; output: number }
  /** `stop`, `length` and others. */
  | { kind: "finish"; reason: string };

const DONE = "[DONE]";

/** Takes a stream of events apart, wherever it is cut. Gives the data of those that are complete. */
export function createEventReader(): (text: string) => string[] {
  let rest = "";
  let data: string[] = [];
  return (text) => {
    rest += text;
    const events: string[] = [];
    const lines = rest.split(/\r\n|\r(?!$)|\n/);
    // The last one may go on, and a return at its end may be half of a line's end.
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) events.push(data.join("\n"));
        data = [];
      } else if (line.startsWith("data:")) data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
    }
    return events;
  };
}

function usageOf(value: unknown): ChatPiece[] {
  if (!isRecord(value) || typeof value.prompt_tokens !== "number") return [];
  return [{ kind: "usage", input: value.prompt_tokens, output: typeof value.completion_tokens === "number" ? value.completion_tokens : 0 }];
}

/** What one event says. Throws when it says that the answer has failed. */
export function piecesOf(data: string): ChatPiece[] {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    return [];
  }
  const failure = openAiError(chunk);
  if (failure) throw new ApiError(0, failure.code, failure.message);
  if (!isRecord(chunk)) return [];
  const choice: unknown = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined;
  const pieces: ChatPiece[] = [];
  if (isRecord(choice)) {
    const delta = isRecord(choice.delta) ? choice.delta : {};
    if (typeof delta.reasoning_content === "string" && delta.reasoning_content) pieces.push({ kind: "reasoning", text: delta.reasoning_content });
    if (typeof delta.content === "string" && delta.content) pieces.push({ kind: "text", text: delta.content });
    if (typeof choice.finish_reason === "string") pieces.push({ kind: "finish", reason: choice.finish_reason });
  }
  return [...pieces, ...usageOf(chunk.usage)];
}

/** Reads an answer to its end. One that just stops has broken off. */
export async function* readChat(stream: ReadableStream<Uint8Array>): AsyncGenerator<ChatPiece> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const read = createEventReader();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      for (const event of read(done ? `${decoder.decode()}\n\n` : decoder.decode(value, { stream: true }))) {
        if (event === DONE) return;
        for (const piece of piecesOf(event)) {
          if (piece.kind === "finish") finished = true;
          yield piece;
        }
      }
      if (done) break;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
  if (!finished) throw new ApiError(0, "BROKEN_OFF", "The answer broke off before its end.");
}

import type { ChatPiece } from "./chat-stream";

export interface Usage {
  input: number;
  output: number;
}

export interface Answer {
  text: string;
  /** What the model thought before. */
  reasoning: string;
  state: "waiting" | "writing" | "done" | "stopped" | "failed";
  /** It was at its limit of tokens. */
  cut: boolean;
  error?: string;
  /** By which the server knows it. */
  completionId?: string;
  usage?: Usage;
  /** Milliseconds from the question to the first word, and to the end. */
  firstMs?: number;
  totalMs?: number;
}

/** A question with its answer. */
export interface Turn {
  id: number;
  model: string;
  question: string;
  answer: Answer;
}

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export const noAnswer: Answer = { text: "", reasoning: "", state: "waiting", cut: false };

export function isUnderWay({ answer }: Turn): boolean {
  return answer.state === "waiting" || answer.state === "writing";
}

/** What the model is told: all that was said, without questions that got no answer. */
export function messagesOf(system: string, turns: readonly Turn[], question: string): ChatMessage[] {
  const before = turns.flatMap<ChatMessage>(({ question, answer }) =>
    answer.text
      ? [
          { role: "user", content: question },
          { role: "assistant", content: answer.text },
        ]
      : [],
  );
  const first: ChatMessage[] = system.trim() ? [{ role: "system", content: system.trim() }] : [];
  return [...first, ...before, { role: "user", content: question }];
}

/** An answer after something more of it has come, `elapsedMs` after the question. */
export function withPiece(answer: Answer, piece: ChatPiece, elapsedMs: number): Answer {
  switch (piece.kind) {
    case "text":
      return { ...answer, state: "writing", firstMs: answer.firstMs ?? elapsedMs, text: answer.text + piece.text };
    case "reasoning":
      return { ...answer, state: "writing", firstMs: answer.firstMs ?? elapsedMs, reasoning: answer.reasoning + piece.text };
    case "usage":
      return { ...answer, usage: { input: piece.input, output: piece.output } };
    case "finish":
      return { ...answer, cut: piece.reason === "length" };
  }
}

/** Tokens of the answer a second, from its first word on; undefined where there is too little to tell. */
export function speedOf({ usage, firstMs, totalMs }: Answer): number | undefined {
  if (!usage || usage.output < 2 || firstMs === undefined || totalMs === undefined || totalMs <= firstMs) return undefined;
  return ((usage.output - 1) * 1000) / (totalMs - firstMs);
}

/** What was typed as the most tokens of an answer; undefined when that is no such number. */
export function parseMaxTokens(text: string): number | undefined {
  const count = Number(text.trim());
  return /^\d+$/.test(text.trim()) && count >= 1 && count <= 1_000_000 ? count : undefined;
}

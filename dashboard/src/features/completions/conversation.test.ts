import { describe, expect, it } from "vitest";

import { messagesOf, noAnswer, parseMaxTokens, speedOf, withPiece, type Answer, type Turn } from "./conversation";

const turn = (question: string, answer: Partial<Answer>): Turn => ({ id: 1, model: "m", question, answer: { ...noAnswer, ...answer } });

describe("messagesOf", () => {
  it("tells all that was said, and not what got no answer", () => {
    const turns = [turn("one?", { text: "One.", reasoning: "Hm.", state: "done" }), turn("two?", { state: "failed", error: "No." }), turn("three?", { text: "Thr", state: "stopped" })];
    expect(messagesOf(" Be short. ", turns, "four?")).toEqual([
      { role: "system", content: "Be short." },
      { role: "user", content: "one?" },
      { role: "assistant", content: "One." },
      { role: "user", content: "three?" },
      { role: "assistant", content: "Thr" },
      { role: "user", content: "four?" },
    ]);
  });

  it("has no system prompt where there is none", () => {
    expect(messagesOf("  ", [], "hi")).toEqual([{ role: "user", content: "hi" }]);
  });
});

it("puts an answer together and knows when it began", () => {
  const pieces = [
    [{ kind: "reasoning", text: "Hm." }, 300],
    [{ kind: "text", text: "a" }, 500],
    [{ kind: "text", text: "b" }, 600],
    [{ kind: "finish", reason: "length" }, 610],
    [{ kind: "usage", input: 4, output: 11 }, 620],
  ] as const;
  const answer = pieces.reduce<Answer>((before, [piece, elapsed]) => withPiece(before, piece, elapsed), noAnswer);
  expect(answer).toEqual({ text: "ab", reasoning: "Hm.", state: "writing", cut: true, firstMs: 300, usage: { input: 4, output: 11 } });
  expect(speedOf({ ...answer, totalMs: 1300 })).toBe(10);
  expect(speedOf(answer)).toBeUndefined();
});

it("takes a whole number as the most tokens", () => {
  expect(parseMaxTokens(" 512 ")).toBe(512);
  for (const text of ["", "0", "-1", "1.5", "1e3", "many"]) expect(parseMaxTokens(text), text).toBeUndefined();
});

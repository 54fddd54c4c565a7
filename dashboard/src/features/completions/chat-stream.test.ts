import { describe, expect, it } from "vitest";

import { ApiError } from "@/api/error";

import { createEventReader, piecesOf, readChat, type ChatPiece } from "./chat-stream";

const chunk = (delta: object, more: object = {}) => `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, ...more }] })}\n\n`;

const ANSWER = [
  ": here I am\n\n",
  chunk({ role: "assistant", content: "" }),
  chunk({ reasoning_content: "Hm." }),
  chunk({ content: "Grüße, 🌍" }),
  chunk({ content: "\nbye" }),
  chunk({}, { finish_reason: "stop" }),
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 } })}\n\n`,
  "data: [DONE]\n\n",
].join("");

const PIECES: ChatPiece[] = [
  { kind: "reasoning", text: "Hm." },
  { kind: "text", text: "Grüße, 🌍" },
  { kind: "text", text: "\nbye" },
  { kind: "finish", reason: "stop" },
  { kind: "usage", input: 12, output: 5 },
];

function streamOf(...parts: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function all(stream: ReadableStream<Uint8Array>): Promise<ChatPiece[]> {
  const pieces: ChatPiece[] = [];
  for await (const piece of readChat(stream)) pieces.push(piece);
  return pieces;
}

describe("readChat", () => {
  it("reads an answer wherever it is cut, also within a character", async () => {
    const whole = bytes(ANSWER);
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(await all(streamOf(whole.slice(0, cut), whole.slice(cut))), `cut at ${cut}`).toEqual(PIECES);
    }
  });

  it("reads it byte by byte, and with the other ends of lines", async () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const whole = bytes(ANSWER.replaceAll("\n", end));
      expect(await all(streamOf(...Array.from(whole, (byte) => Uint8Array.of(byte)))), JSON.stringify(end)).toEqual(PIECES);
    }
  });

  it("needs no blank line at the very end", async () => {
    expect(await all(streamOf(bytes(ANSWER.trimEnd())))).toEqual(PIECES);
  });

  it("gives what came before a failure, and then its sentence", async () => {
    const failed = chunk({ content: "one" }) + `data: ${JSON.stringify({ error: { message: "the machine is gone", type: "server_error", code: "NODE_GONE" } })}\n\n`;
    const pieces: ChatPiece[] = [];
    const reading = (async () => {
      for await (const piece of readChat(streamOf(bytes(failed)))) pieces.push(piece);
    })();
    await expect(reading).rejects.toThrow("The machine is gone.");
    expect(pieces).toEqual([{ kind: "text", text: "one" }]);
  });

  it("tells an answer that just stops from one that has ended", async () => {
    await expect(all(streamOf(bytes(chunk({ content: "one" }))))).rejects.toBeInstanceOf(ApiError);
    await expect(all(streamOf())).rejects.toThrow("broke off");
    expect(await all(streamOf(bytes(chunk({ content: "one" }, { finish_reason: "length" }))))).toHaveLength(2);
  });

  it("lets go of the answer when nobody reads on", async () => {
    let cancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes(chunk({ content: "x" }))),
      cancel: () => {
        cancelled = true;
      },
    });
    for await (const piece of readChat(stream)) {
      expect(piece).toEqual({ kind: "text", text: "x" });
      break;
    }
    expect(cancelled).toBe(true);
  });
});

describe("the reader of events", () => {
  it("joins lines of one event and passes over what is no data", () => {
    const read = createEventReader();
    expect(read("event: x\nid: 1\ndata: a\ndata:b\n")).toEqual([]);
    expect(read("\n\n: nothing\n\ndata: c\n\n")).toEqual(["a\nb", "c"]);
  });

  it("waits for the second half of a line's end", () => {
    const read = createEventReader();
    expect(read("data: a\r")).toEqual([]);
    expect(read("\ndata: b\r\n\r")).toEqual([]);
    expect(read("\n")).toEqual(["a\nb"]);
  });
});

it("passes over what it does not understand", () => {
  for (const data of ["", "null", "[]", "{", '{"choices":{}}', '{"choices":[{"delta":null}]}', '{"usage":null}']) expect(piecesOf(data), data).toEqual([]);
});

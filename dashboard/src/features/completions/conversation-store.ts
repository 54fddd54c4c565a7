import { useSyncExternalStore } from "react";

import { callStream } from "@/api/call";
import { ApiError, messageOf } from "@/api/error";

import { readChat } from "./chat-stream";
import { isUnderWay, messagesOf, noAnswer, parseMaxTokens, withPiece, type Answer, type Turn } from "./conversation";

/** What is said and set in the playground. Kept while other pages are open, until the page is loaded anew. */
export interface Conversation {
  turns: readonly Turn[];
  /** Empty until one is chosen. */
  model: string;
  maxTokens: string;
  system: string;
  draft: string;
}

type Settings = Partial<Pick<Conversation, "model" | "maxTokens" | "system" | "draft">>;

const EMPTY: Conversation = { turns: [], model: "", maxTokens: "512", system: "", draft: "" };

let conversation = EMPTY;
/** Whose it is: nobody else who signs in here sees it. */
let owner: string | undefined;
let underWay: AbortController | undefined;
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: Conversation) {
  conversation = next;
  for (const listener of listeners) listener();
}

function takeOver(userId: string) {
  if (owner === userId) return;
  underWay?.abort();
  owner = userId;
  conversation = EMPTY;
}

function setAnswer(id: number, change: (answer: Answer) => Answer) {
  set({ ...conversation, turns: conversation.turns.map((turn) => (turn.id === id ? { ...turn, answer: change(turn.answer) } : turn)) });
}

function failed(answer: Answer, error: unknown): Answer {
  const completionId = answer.completionId ?? (error instanceof ApiError ? error.requestId : undefined);
  // Browsers say it each in their own words.
  const message = error instanceof TypeError ? "The connection broke before the answer was complete." : messageOf(error);
  return { ...answer, state: "failed", error: message, completionId };
}

async function ask(turn: Turn, body: unknown, controller: AbortController): Promise<void> {
  const begin = performance.now();
  const elapsed = () => performance.now() - begin;
  try {
    const { stream, headers } = await callStream("/v1/chat/completions", body, controller.signal);
    setAnswer(turn.id, (answer) => ({ ...answer, completionId: headers.get("x-request-id") ?? undefined }));
    for await (const piece of readChat(stream)) {
      // What was read ahead is not said any more.
      controller.signal.throwIfAborted();
      setAnswer(turn.id, (answer) => withPiece(answer, piece, elapsed()));
    }
    setAnswer(turn.id, (answer) => ({ ...answer, state: "done", totalMs: elapsed() }));
  } catch (error) {
    setAnswer(turn.id, (answer) => {
      const ended = controller.signal.aborted ? { ...answer, state: "stopped" as const } : failed(answer, error);
      return { ...ended, totalMs: elapsed() };
    });
  } finally {
    if (underWay === controller) underWay = undefined;
  }
}

export const chat = {
  change(userId: string, settings: Settings) {
    takeOver(userId);
    set({ ...conversation, ...settings });
  },

  /** Asks, and calls back when nothing more comes. Nothing happens while an answer is under way. */
  send(userId: string, model: string, question: string, onEnd: () => void) {
    takeOver(userId);
    const maxTokens = parseMaxTokens(conversation.maxTokens);
    if (maxTokens === undefined || conversation.turns.some(isUnderWay)) return;
    const turn: Turn = { id: nextId++, model, question, answer: noAnswer };
    const messages = messagesOf(conversation.system, conversation.turns, question);
    const controller = new AbortController();
    underWay = controller;
    set({ ...conversation, model, turns: [...conversation.turns, turn] });
    void ask(turn, { model, messages, max_tokens: maxTokens, stream: true, stream_options: { include_usage: true } }, controller).then(onEnd);
  },

  stop() {
    underWay?.abort();
  },

  /** Forgets what was said. */
  clear() {
    underWay?.abort();
    set({ ...conversation, turns: [] });
  },

  /** Takes a question back whose answer has failed, to ask it again. */
  forget(id: number) {
    set({ ...conversation, turns: conversation.turns.filter((turn) => turn.id !== id) });
  },
};

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useConversation(userId: string): Conversation {
  return useSyncExternalStore(subscribe, () => (owner === userId ? conversation : EMPTY));
}

import { useSyncExternalStore } from "react";

import { messageOf } from "@/api/error";

export interface Toast {
  id: number;
  tone: "good" | "bad";
  text: string;
}

let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]) {
  toasts = next;
  for (const listener of listeners) listener();
}

function add(tone: Toast["tone"], text: string) {
  set([...toasts.filter((each) => each.text !== text), { id: nextId++, tone, text }].slice(-4));
}

export const toast = {
  good: (text: string) => add("good", text),
  bad: (text: string) => add("bad", text),
  /** For `onError` of a mutation whose form has no place for it. */
  error: (error: unknown) => add("bad", messageOf(error)),
  dismiss: (id: number) => set(toasts.filter((each) => each.id !== id)),
};

export function useToasts(): readonly Toast[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
}

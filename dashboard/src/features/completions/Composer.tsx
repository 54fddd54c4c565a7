import { SendHorizontal, Square } from "lucide-react";
import { useEffect, useRef, type KeyboardEvent } from "react";

import { Button } from "@/ui/Button";

/** What is open above the page closes with the key first. */
const OVERLAYS = '[role="dialog"], [role="alertdialog"], [role="menu"]';

/** Calls back on Escape while `active`, wherever the focus is. */
function useEscape(active: boolean, onEscape: () => void) {
  useEffect(() => {
    if (!active) return;
    function onKeyDown(event: globalThis.KeyboardEvent) {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector(OVERLAYS)) return;
      event.preventDefault();
      onEscape();
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [active, onEscape]);
}

interface ComposerProps {
  value: string;
  onChange: (value: string) => void;
  onSend: () => void;
  onStop: () => void;
  /** Whether an answer is under way. */
  busy: boolean;
  /** Whether it may be sent now. */
  ready: boolean;
}

/** Where questions are written. */
export function Composer({ value, onChange, onSend, onStop, busy, ready }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const sendable = ready && !busy && value.trim() !== "";
  useEscape(busy, onStop);

  function send() {
    if (!sendable) return;
    onSend();
    field.current?.focus({ preventScroll: true });
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      className="rounded-2xl border border-line-strong/80 bg-surface shadow-pop transition-[border-color] focus-within:border-accent"
    >
      <textarea
        ref={field}
        aria-label="Message"
        placeholder="Ask something"
        rows={2}
        // On a phone it would bring up the keyboard.
        autoFocus={!window.matchMedia("(pointer: coarse)").matches}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
        className="block field-sizing-content max-h-[40vh] min-h-15 w-full resize-none overflow-y-auto bg-transparent px-3.5 pt-2.5 outline-none"
      />
      <div className="flex items-center justify-between gap-3 py-2 pr-2 pl-3.5">
        <p className="text-xs text-faint max-sm:invisible pointer-coarse:invisible">Enter sends, Shift+Enter makes a new line, Esc stops.</p>
        {busy ? (
          <Button icon={Square} onClick={onStop} data-testid="stop-answer">
            Stop
          </Button>
        ) : (
          <Button type="submit" variant="primary" icon={SendHorizontal} disabled={!sendable} data-testid="send">
            Send
          </Button>
        )}
      </div>
    </form>
  );
}

import { CircleX, SquareTerminal, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";

import type { Terminal } from "@/api/types";
import { classes } from "@/ui/classes";

const MAX_NAME = 50;

interface TerminalTabsProps {
  terminals: readonly Terminal[];
  panes: readonly string[];
  active: string | undefined;
  onShow: (id: string) => void;
  onRename: (id: string, name: string) => void;
  onClose: (terminal: Terminal) => void;
}

function NameInput({ name, onDone }: { name: string; onDone: (name: string | undefined, byKey: boolean) => void }) {
  const [text, setText] = useState(name);
  return (
    <input
      aria-label={`New name of ${name}`}
      autoFocus
      maxLength={MAX_NAME}
      value={text}
      onFocus={({ target }) => target.select()}
      onChange={({ target }) => setText(target.value)}
      onBlur={() => onDone(text, false)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key !== "Enter" && event.key !== "Escape") return;
        // The button in its place gets the focus, and would be pressed by it.
        event.preventDefault();
        onDone(event.key === "Enter" ? text : undefined, true);
      }}
      className="h-6 w-32 rounded border border-accent bg-surface px-1.5 text-[13px] outline-none"
    />
  );
}

export function TerminalTabs({ terminals, panes, active, onShow, onRename, onClose }: TerminalTabsProps) {
  const list = useRef<HTMLDivElement>(null);
  const [renaming, setRenaming] = useState<string>();
  /** The one whose name was left by a key, and not for something else. */
  const [left, setLeft] = useState<string>();

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active]);

  return (
    <div ref={list} role="tablist" aria-label="Terminals" className="flex min-w-0 [scrollbar-width:none] items-end gap-0.5 overflow-x-auto">
      {terminals.map((terminal) => {
        const { id, name } = terminal;
        const shown = panes.includes(id);
        const Icon = terminal.is_running ? SquareTerminal : CircleX;
        return (
          <div
            key={id}
            role="presentation"
            className={classes(
              "group flex h-8 max-w-52 shrink-0 items-center rounded-t-lg border-x border-t pr-1",
              id === active ? "border-line bg-term text-ink" : shown ? "border-line/60 bg-term/60 text-soft" : "border-transparent text-faint hover:bg-hover",
            )}
          >
            {renaming === id ? (
              <span className="px-2">
                <NameInput
                  name={name}
                  onDone={(next, byKey) => {
                    setRenaming(undefined);
                    setLeft(byKey ? id : undefined);
                    const trimmed = next?.trim();
                    if (trimmed && trimmed !== name) onRename(id, trimmed);
                  }}
                />
              </span>
            ) : (
              <button
                type="button"
                role="tab"
                autoFocus={left === id}
                aria-selected={id === active}
                title={`${name} – double-click to rename`}
                data-testid="terminal-tab"
                onClick={() => onShow(id)}
                onDoubleClick={() => setRenaming(id)}
                onKeyDown={(event) => {
                  if (event.key !== "F2") return;
                  event.preventDefault();
                  setRenaming(id);
                }}
                className="flex h-full min-w-0 items-center gap-1.5 pr-1 pl-2.5 text-[13px] focus-visible:-outline-offset-2"
              >
                <Icon aria-label={terminal.is_running ? undefined : "ended"} aria-hidden={terminal.is_running} className="size-3.5 shrink-0" />
                <span className="truncate">{name}</span>
              </button>
            )}
            <button
              type="button"
              aria-label={`Close ${name}`}
              title="Close"
              data-testid="close-terminal"
              onClick={() => onClose(terminal)}
              className={classes("rounded p-0.5 text-faint hover:bg-hover hover:text-ink focus-visible:opacity-100", id !== active && "opacity-0 group-hover:opacity-100 pointer-coarse:opacity-100")}
            >
              <X aria-hidden className="size-3.5" />
            </button>
          </div>
        );
      })}
    </div>
  );
}

import { ArrowDown, ArrowUp, X } from "lucide-react";
import { useEffect, useState, type RefObject } from "react";

import { IconButton } from "@/ui/Button";
import { classes } from "@/ui/classes";

import type { SearchResults } from "./emulator";
import type { Session } from "./session";

interface SearchBarProps {
  field: RefObject<HTMLInputElement | null>;
  session: Session;
  results: SearchResults | undefined;
  onClose: () => void;
}

function wordsOf(text: string, results: SearchResults | undefined): string {
  if (!text || !results) return "";
  if (results.count === 0) return "Not found";
  return results.index < 0 ? `${results.count}+` : `${results.index + 1} of ${results.count}`;
}

/** Searches what can be scrolled to. */
export function SearchBar({ field, session, results, onClose }: SearchBarProps) {
  const [text, setText] = useState("");
  const [caseSensitive, setCaseSensitive] = useState(false);
  const options = { caseSensitive };

  useEffect(() => {
    field.current?.focus();
    return () => session.endFind();
  }, [field, session]);

  return (
    <div role="search" className="flex shrink-0 items-center gap-1 border-b border-line bg-sunken py-1 pr-1 pl-2">
      <input
        ref={field}
        aria-label="Search in this terminal"
        placeholder="Search"
        value={text}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        onChange={({ target }) => {
          setText(target.value);
          session.find(target.value, "typing", options);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.nativeEvent.isComposing) session.find(text, event.shiftKey ? "next" : "previous", options);
          else if (event.key === "Escape") {
            onClose();
            session.focus();
          } else return;
          event.preventDefault();
        }}
        className="h-7 min-w-0 flex-1 rounded-md border border-line bg-surface px-2 text-[13px]"
      />
      <span role="status" className="min-w-16 text-center text-xs text-faint tabular-nums">
        {wordsOf(text, results)}
      </span>
      <button
        type="button"
        aria-pressed={caseSensitive}
        title="Match case"
        aria-label="Match case"
        onClick={() => {
          setCaseSensitive(!caseSensitive);
          session.find(text, "typing", { caseSensitive: !caseSensitive });
        }}
        className={classes("grid size-7 place-items-center rounded-md text-xs", caseSensitive ? "bg-accent-wash text-accent-ink" : "text-faint hover:bg-hover")}
      >
        Aa
      </button>
      <IconButton label="Previous match" icon={ArrowUp} className="size-7!" onClick={() => session.find(text, "previous", options)} />
      <IconButton label="Next match" icon={ArrowDown} className="size-7!" onClick={() => session.find(text, "next", options)} />
      <IconButton label="Close the search" icon={X} className="size-7!" onClick={onClose} />
    </div>
  );
}

import { Search } from "lucide-react";
import { useDeferredValue, useState } from "react";

import { messageOf } from "@/api/error";
import { splitAtHits } from "@/features/logs/log-filter";
import type { TerminalMatch } from "@/api/types";
import { classes } from "@/ui/classes";
import { Dialog } from "@/ui/Dialog";
import { inputClass } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { useMatches } from "./queries";

interface HistoryDialogProps {
  workspaceId: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onChoose: (match: TerminalMatch) => void;
  onClosed?: () => void;
}

function Matches({ workspaceId, onChoose }: Pick<HistoryDialogProps, "workspaceId" | "onChoose">) {
  const [text, setText] = useState("");
  const query = useDeferredValue(text.trim());
  const { data, error, isFetching } = useMatches(workspaceId, query);
  return (
    <div className="flex flex-col gap-3">
      <div className="relative">
        <Search aria-hidden className="pointer-events-none absolute top-2.5 left-2.5 size-4 text-faint" />
        <input
          type="search"
          autoFocus
          aria-label="Search all output"
          placeholder="Text of a line"
          value={text}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          onChange={({ target }) => setText(target.value)}
          className={classes(inputClass, "pl-8")}
        />
      </div>
      {error && <Notice tone="bad">{messageOf(error)}</Notice>}
      {query && data && (
        <ul aria-label="Matches" aria-busy={isFetching} className="max-h-[50vh] divide-y divide-line overflow-y-auto rounded-lg border border-line">
          {data.matches.map((match) => (
            <li key={`${match.terminal_id} ${match.offset}`}>
              <button type="button" onClick={() => onChoose(match)} data-testid="match" className="w-full px-3 py-1.5 text-left hover:bg-hover focus-visible:-outline-offset-2">
                <span className="block text-xs text-faint">{match.terminal_name}</span>
                <span className="block truncate font-mono text-[12.5px]">{splitAtHits(match.line, query).map((piece, index) => (index % 2 ? <mark key={index}>{piece}</mark> : piece))}</span>
              </button>
            </li>
          ))}
          {data.matches.length === 0 && <li className="px-3 py-6 text-center text-faint">No line has “{query}”.</li>}
          {data.truncated && <li className="px-3 py-2 text-[13px] text-faint">There are more. Search for more of the line to see them.</li>}
        </ul>
      )}
    </div>
  );
}

export function HistoryDialog({ workspaceId, open, onOpenChange, onChoose, onClosed }: HistoryDialogProps) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} onClosed={onClosed} title="Search all output" description="Of every terminal of this workspace that was not closed, as far back as it is kept.">
      <Matches workspaceId={workspaceId} onChoose={onChoose} />
    </Dialog>
  );
}

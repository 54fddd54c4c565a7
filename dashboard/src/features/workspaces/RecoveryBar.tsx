import { ChevronDown, TriangleAlert } from "lucide-react";
import { useState } from "react";

import { asSentence } from "@/api/error";
import { plainText } from "@/features/logs/ansi";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Prose } from "@/ui/Prose";

import { DeleteButton, RebuildButton, RestartButton } from "./actions";
import { BootTimeline } from "./BootTimeline";
import type { Workspace } from "@/api/types";

/** Above the terminals, which work: why something is missing, and what can be done. */
export function RecoveryBar({ workspace, onDeleted }: { workspace: Workspace; onDeleted: () => void }) {
  const [open, setOpen] = useState(false);
  const lines = workspace.last_lines ?? [];
  return (
    <section aria-label="What went wrong" className="max-h-[55%] shrink-0 overflow-y-auto border-b border-warn/30 bg-warn-wash px-3 py-2 sm:px-4">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <p className="flex min-w-0 flex-1 basis-64 items-start gap-2 text-[13px]">
          <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
          <span className="min-w-0 wrap-anywhere">
            <Prose>{workspace.reason ? asSentence(workspace.reason) : "A step of its start failed."}</Prose> Terminals work.
          </span>
        </p>
        <div className="flex flex-wrap items-center gap-1.5">
          <Button size="sm" variant="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>
            Details <ChevronDown aria-hidden className={classes("size-4", open && "rotate-180")} />
          </Button>
          <RestartButton workspace={workspace} size="sm" />
          <RebuildButton workspace={workspace} size="sm" />
          <DeleteButton workspace={workspace} size="sm" variant="ghost" onDone={onDeleted} />
        </div>
      </div>
      {open && (
        <div className="mt-2 grid gap-4 rounded-lg border border-line bg-surface p-4 md:grid-cols-2">
          <BootTimeline workspace={workspace} />
          {lines.length > 0 && (
            <pre aria-label="Last lines of the log" tabIndex={0} className="max-h-56 overflow-auto rounded-lg bg-term p-3 font-mono text-[12.5px] leading-5 wrap-anywhere whitespace-pre-wrap">
              {lines.map(plainText).join("\n")}
            </pre>
          )}
        </div>
      )}
    </section>
  );
}

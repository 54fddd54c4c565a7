import { CirclePause, FileText, History, Moon } from "lucide-react";
import { useState } from "react";

import { asSentence } from "@/api/error";
import { WorkspaceHistory } from "@/features/activity/WorkspaceHistory";
import { FailureBox } from "@/features/deployments/Failure";
import { endingOf } from "@/features/terminals/ending";
import { HistoryDialog } from "@/features/terminals/HistoryDialog";
import { useTerminals } from "@/features/terminals/queries";
import { EarlierOutput } from "@/features/terminals/TextDialog";
import { formatBytes } from "@/format/quantity";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Elapsed } from "@/ui/RelativeTime";
import { Prose } from "@/ui/Prose";
import { EmptyState, Notice } from "@/ui/states";

import { RestartButton } from "./actions";
import { BootLog } from "./BootLog";
import { BootTimeline } from "./BootTimeline";
import { isAsleep } from "./idle";
import type { Terminal, TerminalMatch, Workspace } from "@/api/types";

/** What its terminals put out, which is kept while it is stopped. */
function OldTerminals({ workspace }: { workspace: Workspace }) {
  const { data: terminals = [] } = useTerminals(workspace.id);
  const [shown, setShown] = useState<{ terminal: Pick<Terminal, "id" | "name">; until: number; found?: TerminalMatch }>();
  const [searching, setSearching] = useState(false);
  if (terminals.length === 0) return null;
  return (
    <Panel
      title="Terminals"
      description="What they put out is kept until they are closed."
      actions={
        <Button size="sm" icon={History} onClick={() => setSearching(true)}>
          Search
        </Button>
      }
    >
      <ul className="divide-y divide-line">
        {terminals.map((terminal) => (
          <li key={terminal.id} className="flex items-center justify-between gap-3 py-1.5">
            <span className="min-w-0 truncate">
              {terminal.name}
              <span className="block truncate text-[13px] text-faint">
                {!terminal.is_running && `${endingOf({ code: terminal.exit_code, signal: terminal.signal })} · `}
                {formatBytes(terminal.output_bytes)}
              </span>
            </span>
            <Button size="sm" variant="ghost" icon={FileText} onClick={() => setShown({ terminal, until: terminal.output_bytes })}>
              Output
            </Button>
          </li>
        ))}
      </ul>
      <HistoryDialog
        workspaceId={workspace.id}
        open={searching}
        onOpenChange={setSearching}
        onChoose={(match) => {
          setSearching(false);
          setShown({ terminal: { id: match.terminal_id, name: match.terminal_name }, until: match.offset + 16 * 1024, found: match });
        }}
      />
      {shown && <EarlierOutput workspaceId={workspace.id} terminal={shown.terminal} until={shown.until} found={shown.found} onClose={() => setShown(undefined)} />}
    </Panel>
  );
}

/** One in which no terminal can be opened: how far its start has come, or why it has not. */
export function WorkspaceStart({ workspace }: { workspace: Workspace }) {
  const { state } = workspace;
  const creating = state === "creating";
  return (
    <>
      {state === "error" && <FailureBox reason={workspace.reason} code={workspace.failure_code} lines={workspace.last_lines} comfort="Its files are as they were." />}
      {isAsleep(workspace) && (
        <EmptyState icon={Moon} title="Asleep" actions={<RestartButton workspace={workspace} variant="primary" />}>
          <Prose>{asSentence(workspace.reason ?? "It was stopped by itself; its files are kept.")}</Prose>
        </EmptyState>
      )}
      {state === "stopped" && !isAsleep(workspace) && (
        <Notice icon={CirclePause}>{workspace.reason ?? "Nothing of it runs. Its files are kept, also those that are not committed."}</Notice>
      )}
      {state === "stopping" && <Notice>Its processes are being ended. Its files are kept.</Notice>}
      {state === "deleting" && <Notice>Its files are being removed.</Notice>}
      <div className="grid items-start gap-5 lg:grid-cols-[20rem_1fr]">
        <div className="flex flex-col gap-5">
          {workspace.steps.length + (creating ? 1 : 0) > 0 && (
            <Panel
              title={creating ? "Starting" : "Last start"}
              actions={creating && <Elapsed since={Date.parse(workspace.state_since)} className="text-[13px] text-faint tabular-nums" />}
            >
              <BootTimeline workspace={workspace} />
            </Panel>
          )}
          {!creating && state !== "deleting" && <OldTerminals workspace={workspace} />}
          <WorkspaceHistory workspace={workspace} frame={(list) => <Panel title="What happened">{list}</Panel>} />
        </div>
        {state !== "deleting" && <BootLog key={workspace.attempt} workspace={workspace} className="h-[max(18rem,calc(100dvh-20rem))]" />}
      </div>
    </>
  );
}

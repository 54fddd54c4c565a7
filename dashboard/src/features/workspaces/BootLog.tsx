import { useState } from "react";

import { downloadLog } from "@/features/logs/download";
import { showAll, type LogFilter } from "@/features/logs/log-filter";
import { LogView } from "@/features/logs/LogView";
import { useLogStream } from "@/features/logs/use-log-stream";
import { toast } from "@/ui/toast-store";

import { logPathOf } from "./queries";
import type { Workspace } from "@/api/types";

/** What the steps of its starts wrote. */
export function BootLog({ workspace, className }: { workspace: Workspace; className?: string }) {
  const path = logPathOf(workspace.id);
  const { log, state } = useLogStream(path);
  const [filter, setFilter] = useState<LogFilter>(showAll);
  const live = workspace.state === "creating";
  return (
    <LogView
      label={`Log of the start of ${workspace.name}`}
      log={log}
      state={state}
      live={live}
      filter={filter}
      onFilter={setFilter}
      onDownload={() => void downloadLog(path, `${workspace.name}.log`).catch(toast.error)}
      empty={state === "connecting" ? "Opening the log…" : live ? "Nothing was written yet." : "Nothing was written."}
      testId="boot-log"
      className={className}
    />
  );
}

import { useEffect, useState } from "react";

import { useProjectContext } from "@/features/projects/project-context";
import { PageTitle } from "@/ui/PageTitle";
import { toast } from "@/ui/toast-store";

import { downloadLog } from "./download";
import { showAll, type LogFilter } from "./log-filter";
import { LogView } from "./LogView";
import { useLogStream } from "./use-log-stream";

const FIRST_LINES = 1000;
/** The most that one request gives. */
const DOWNLOAD_LINES = 10_000;
const TYPING_PAUSE_MS = 350;

/** What the server is asked to search for: not each letter, but what it came to. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(text), TYPING_PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text]);
  return settled;
}

export default function LogsTab() {
  const { project } = useProjectContext();
  const [filter, setFilter] = useState<LogFilter>(showAll);
  // The page filters what it holds at once; the server then also finds what is older.
  const search = useSettled(filter.search.trim());
  const path = `/projects/${encodeURIComponent(project.id)}/logs`;
  const { log, state } = useLogStream(path, search, FIRST_LINES);

  return (
    <>
      <PageTitle>{`Logs · ${project.name}`}</PageTitle>
      <LogView
        label={`What ${project.name} wrote`}
        log={log}
        state={state}
        live
        filter={filter}
        onFilter={setFilter}
        onDownload={() => void downloadLog(path, `${project.name}.log`, { limit: DOWNLOAD_LINES, search }).catch(toast.error)}
        empty={state === "connecting" ? "Opening the log…" : project.live_deployment ? "The app has not written anything yet." : "What the app writes shows up here once it runs."}
        testId="runtime-log"
        className="h-[max(24rem,calc(100dvh-15rem))]"
      />
    </>
  );
}

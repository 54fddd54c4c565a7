import { useEffect, useState } from "react";

import { serversOf } from "@/features/nodes/placement";
import { useProjectContext } from "@/features/projects/project-context";
import { PageTitle } from "@/ui/PageTitle";
import { toast } from "@/ui/toast-store";

import { downloadProjectLog } from "./download";
import { showAll, type LogFilter } from "./log-filter";
import { LogView } from "./LogView";
import { ServerSelect } from "./ServerSelect";
import { allTime, toBounds, type TimeRange } from "./time-range";
import { TimeRangeSelect } from "./TimeRangeSelect";
import { useProjectLog } from "./use-project-log";

const TYPING_PAUSE_MS = 350;
const anyTime: ReturnType<typeof toBounds> = {};

/** What the server is asked to search for: not each letter, but what it came to. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), TYPING_PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [value]);
  return settled;
}

export default function LogsTab() {
  const { project } = useProjectContext();
  const [filter, setFilter] = useState<LogFilter>(showAll);
  const [range, setRange] = useState<TimeRange>(allTime);
  const [bounds, setBounds] = useState(anyTime);
  // The page filters what it holds at once; the server then also finds what is older.
  const search = useSettled(filter.search.trim());
  const { since, until } = useSettled(bounds);
  const stream = filter.stream === "all" ? undefined : filter.stream;
  const servers = serversOf(project);
  const [server, setServer] = useState<string>();
  // One that the project has left is shown no more.
  const node = server !== undefined && servers.includes(server) ? server : undefined;
  const query = { search, node, stream, since, until };
  const path = `/projects/${encodeURIComponent(project.id)}/logs`;
  const { log, state, hasOlder, loadingOlder, loadOlder } = useProjectLog(path, query);

  function changeRange(next: TimeRange) {
    setRange(next);
    setBounds(toBounds(next, Date.now()));
  }

  const anything = search === "" && stream === undefined && since === undefined && until === undefined;
  const empty = anything
    ? project.live_deployment
      ? "The app has not written anything yet."
      : "What the app writes shows up here once it runs."
    : hasOlder
      ? "No line matches in what was looked through so far. Search further back with the button above."
      : "No line matches.";

  return (
    <>
      <PageTitle>{`Logs · ${project.name}`}</PageTitle>
      <LogView
        label={`What ${project.name} wrote`}
        log={log}
        state={state}
        live={until === undefined}
        filter={filter}
        onFilter={setFilter}
        onDownload={() => void downloadProjectLog(path, `${project.name}.log`, query).catch(toast.error)}
        empty={state === "connecting" ? "Opening the log…" : empty}
        older={hasOlder ? { load: loadOlder, loading: loadingOlder, label: search ? "Search older lines" : "Load older lines" } : undefined}
        tools={
          <>
            <ServerSelect servers={servers} value={node ?? project.node_id} onValue={setServer} />
            <TimeRangeSelect range={range} onRange={changeRange} />
          </>
        }
        testId="runtime-log"
        className="h-[max(24rem,calc(100dvh-15rem))]"
      />
    </>
  );
}

import { useMemo } from "react";

import { formatPercent, formatRate } from "@/format/quantity";
import { formatDuration } from "@/format/time";
import { Panel } from "@/ui/Card";
import { ErrorState, Loading, Skeleton } from "@/ui/states";

import { Plot } from "./Plot";
import { cpuColumns, memoryColumns, networkColumns, percentAxis, rateAxis, type Columns } from "./plot-series";
import { useNodeMetrics } from "./queries";

const cpuLines = [{ label: "CPU", colour: "accent-strong" }];
const memoryLines = [{ label: "Memory", colour: "accent-strong" }];
const networkLines = [
  { label: "Received", colour: "accent-strong" },
  { label: "Sent", colour: "good" },
];

function last(columns: Columns, line = 1): number {
  return columns[line]?.at(-1) ?? 0;
}

export function NodePlots({ nodeId }: { nodeId: string }) {
  const { data, error, refetch } = useNodeMetrics(nodeId);
  const columns = useMemo(() => {
    const samples = data?.samples ?? [];
    return { cpu: cpuColumns(samples), memory: memoryColumns(samples), network: networkColumns(samples) };
  }, [data]);

  if (!data) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the plots" className="grid gap-5 lg:grid-cols-3">
        <Skeleton className="h-56 rounded-xl" />
        <Skeleton className="h-56 rounded-xl" />
        <Skeleton className="h-56 rounded-xl" />
      </Loading>
    );
  }
  if (data.samples.length < 2) {
    return (
      <Panel title="The last minutes">
        <p className="text-soft">Plots begin with the second sample, in about {formatDuration(data.interval_seconds * 1000)}.</p>
      </Panel>
    );
  }

  return (
    <div className="grid gap-5 lg:grid-cols-3">
      <Panel title="CPU">
        <Plot summary={`CPU use over the last minutes, now ${formatPercent(last(columns.cpu))}`} lines={cpuLines} data={columns.cpu} vertical={percentAxis} />
      </Panel>
      <Panel title="Memory">
        <Plot summary={`Memory use over the last minutes, now ${formatPercent(last(columns.memory))}`} lines={memoryLines} data={columns.memory} vertical={percentAxis} />
      </Panel>
      <Panel title="Network">
        <Plot
          summary={`Network over the last minutes, now ${formatRate(last(columns.network))} received and ${formatRate(last(columns.network, 2))} sent`}
          lines={networkLines}
          data={columns.network}
          vertical={rateAxis}
        />
      </Panel>
    </div>
  );
}

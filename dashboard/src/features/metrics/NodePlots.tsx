import { useMemo } from "react";

import type { MetricsHistory } from "@/api/types";
import { formatPercent, formatRate } from "@/format/quantity";
import { Panel } from "@/ui/Card";
import { ErrorState, Loading, Skeleton } from "@/ui/states";

import { Plot } from "./Plot";
import { cpuColumns, diskColumns, last, memoryColumns, networkColumns, percentAxis, rateAxis } from "./plot-series";
import { useNodeMetrics } from "./queries";
import type { Range } from "./range";
import { RangeSwitch, useRange } from "./RangeSwitch";

const cpuLines = [
  { label: "CPU", colour: "accent-strong" },
  { label: "Peak", colour: "ink-faint", faint: true },
];
const memoryLines = [
  { label: "Memory", colour: "accent-strong" },
  { label: "Swap", colour: "warn" },
];
const diskLines = [{ label: "Disk", colour: "accent-strong" }];
const networkLines = [
  { label: "Received", colour: "accent-strong" },
  { label: "Sent", colour: "good" },
];

function Plots({ history, range }: { history: MetricsHistory; range: Range }) {
  const { cpu, memory, disk, network } = useMemo(() => {
    const { samples, interval_seconds: interval } = history;
    return { cpu: cpuColumns(samples, interval), memory: memoryColumns(samples, interval), disk: diskColumns(samples, interval), network: networkColumns(samples, interval) };
  }, [history]);
  const { seconds, words } = range;
  return (
    <div className="grid gap-5 md:grid-cols-2">
      <Panel title="CPU">
        <Plot seconds={seconds} summary={`CPU use over ${words}, now ${formatPercent(last(cpu))}`} lines={cpuLines.slice(0, cpu.length - 1)} data={cpu} vertical={percentAxis} />
      </Panel>
      <Panel title="Memory">
        <Plot seconds={seconds} summary={`Memory use over ${words}, now ${formatPercent(last(memory))}`} lines={memoryLines.slice(0, memory.length - 1)} data={memory} vertical={percentAxis} />
      </Panel>
      <Panel title="Disk">
        <Plot seconds={seconds} summary={`Disk use over ${words}, now ${formatPercent(last(disk))}`} lines={diskLines} data={disk} vertical={percentAxis} />
      </Panel>
      <Panel title="Network">
        <Plot
          seconds={seconds}
          summary={`Network over ${words}, now ${formatRate(last(network))} received and ${formatRate(last(network, 2))} sent`}
          lines={networkLines}
          data={network}
          vertical={rateAxis}
        />
      </Panel>
    </div>
  );
}

function Body({ nodeId, range }: { nodeId: string; range: Range }) {
  const { data, error, refetch } = useNodeMetrics(nodeId, range);
  if (!data) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the plots" className="grid gap-5 md:grid-cols-2">
        <Skeleton className="h-60 rounded-xl" />
        <Skeleton className="h-60 rounded-xl" />
        <Skeleton className="h-60 rounded-xl" />
        <Skeleton className="h-60 rounded-xl" />
      </Loading>
    );
  }
  if (data.samples.length === 0) {
    return (
      <Panel title="Nothing was measured yet">
        <p className="text-soft">Plots begin a few seconds after the server hears of the machine.</p>
      </Panel>
    );
  }
  return <Plots history={data} range={range} />;
}

/** What a machine used, live and in the past. */
export function NodePlots({ nodeId }: { nodeId: string }) {
  const [range, setRange] = useRange();
  return (
    <section aria-label="Metrics" data-testid="metrics" data-range={range.value} className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 className="text-[15px] font-semibold">Metrics</h2>
        <RangeSwitch range={range} onRange={setRange} />
      </div>
      <Body nodeId={nodeId} range={range} />
    </section>
  );
}

import { useMemo, type ReactNode } from "react";

import { ApiError, messageOf } from "@/api/error";
import type { ProjectMetrics } from "@/api/types";
import { formatBytes, formatPercent, formatRate } from "@/format/quantity";
import { Panel } from "@/ui/Card";
import { Loading, Notice, Skeleton } from "@/ui/states";

import { Plot } from "./Plot";
import { bytesAxis, coresAxis, last, processColumns, projectNetworkColumns, rateAxis, volumeColumns } from "./plot-series";
import { useProcessMetrics, type Measured } from "./queries";
import type { Range } from "./range";
import { RangeSwitch, useRange } from "./RangeSwitch";

const colours = ["accent-strong", "good", "warn", "bad", "ink-soft"];
const networkLines = [
  { label: "Received", colour: "accent-strong" },
  { label: "Sent", colour: "good" },
];
const volumeLines = [{ label: "Volumes", colour: "accent-strong" }];

function Titled({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <h3 className="mb-1 text-[13px] font-medium text-soft">{title}</h3>
      {children}
    </div>
  );
}

function Plots({ metrics, range }: { metrics: ProjectMetrics; range: Range }) {
  const columns = useMemo(
    () => ({
      cpu: processColumns(metrics, (sample) => sample.cpu_percent),
      memory: processColumns(metrics, (sample) => sample.memory_bytes),
      network: projectNetworkColumns(metrics),
      volumes: volumeColumns(metrics),
    }),
    [metrics],
  );
  const { cpu, memory, network, volumes } = columns;
  const lines = metrics.processes.map(({ process }, index) => ({ label: process, colour: colours[index % colours.length] ?? "ink-soft" }));
  const { seconds, words } = range;
  const each = (data: typeof cpu, format: (value: number) => string) => lines.map(({ label }, index) => `${label} ${format(last(data, index + 1))}`).join(", ");
  return (
    <div className="grid gap-x-6 gap-y-5 sm:grid-cols-2">
      <Titled title="CPU, of one core">
        <Plot seconds={seconds} summary={`CPU use over ${words}, now ${each(cpu, formatPercent)}`} lines={lines} data={cpu} vertical={coresAxis} />
      </Titled>
      <Titled title="Memory">
        <Plot seconds={seconds} summary={`Memory use over ${words}, now ${each(memory, formatBytes)}`} lines={lines} data={memory} vertical={bytesAxis} />
      </Titled>
      <Titled title="Network, to the outside">
        <Plot
          seconds={seconds}
          summary={`Network over ${words}, now ${formatRate(last(network))} received and ${formatRate(last(network, 2))} sent`}
          lines={networkLines}
          data={network}
          vertical={rateAxis}
        />
      </Titled>
      {metrics.volumes.length > 0 && (
        <Titled title="Volumes">
          <Plot seconds={seconds} summary={`What volumes take over ${words}, now ${formatBytes(last(volumes))}`} lines={volumeLines} data={volumes} vertical={bytesAxis} />
        </Titled>
      )}
    </div>
  );
}

function Body({ of, range }: { of: Measured; range: Range }) {
  const { data, error } = useProcessMetrics(of, range);
  if (data) {
    if (data.processes.length > 0) return <Plots metrics={data} range={range} />;
    return <p className="text-soft">Nothing ran in {range.words}. Plots begin ten seconds after a process does.</p>;
  }
  if (error) return <Notice tone="warn">{error instanceof ApiError && error.status === 404 ? `The ${of.kind} is not there any more.` : messageOf(error)}</Notice>;
  return (
    <Loading label="Loading the plots" className="grid gap-5 sm:grid-cols-2">
      <Skeleton className="h-48" />
      <Skeleton className="h-48" />
    </Loading>
  );
}

/** What processes used on all machines, live and in the past. */
export function ProcessPlots({ of }: { of: Measured }) {
  const [range, setRange] = useRange();
  return (
    <Panel title="Metrics" actions={<RangeSwitch range={range} onRange={setRange} />}>
      <div data-testid="metrics" data-range={range.value}>
        <Body of={of} range={range} />
      </div>
    </Panel>
  );
}

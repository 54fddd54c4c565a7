import type { ReactNode } from "react";

import type { SystemInfo } from "@/api/types";
import { formatBytes, formatPercent, percentOf } from "@/format/quantity";
import { Chip } from "@/ui/Badge";
import { Panel } from "@/ui/Card";
import { Meter } from "@/ui/Meter";
import { RelativeTime } from "@/ui/RelativeTime";
import { ErrorState, Loading, Notice, Skeleton } from "@/ui/states";

import { useSystemInfo } from "./queries";

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap justify-between gap-x-4 py-2">
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0 text-right wrap-anywhere tabular-nums">{children}</dd>
    </div>
  );
}

function uptime(seconds: number): string {
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes} m` : `${minutes} m`;
}

function Docker({ docker }: { docker: SystemInfo["docker"] }) {
  if (!docker.installed) return <p className="text-[13px] text-faint">Docker is not installed.</p>;
  return (
    <div className="flex flex-col gap-2">
      {docker.error && <Notice tone="warn">{`Docker: ${docker.error}`}</Notice>}
      {docker.containers.length === 0 && !docker.error && <p className="text-[13px] text-faint">No containers.</p>}
      <ul className="divide-y divide-line">
        {docker.containers.map((container) => (
          <li key={container.id} data-testid="container" className="flex flex-wrap items-baseline justify-between gap-x-4 py-2 text-[13px]">
            <span className="min-w-0 truncate" title={container.image}>
              <span className="font-medium">{container.name}</span> <span className="text-faint">{container.image}</span>
            </span>
            <span className="flex items-center gap-3 text-faint tabular-nums">
              {container.memory_bytes != null && formatBytes(container.memory_bytes)}
              {container.cpu_percent != null && <span>{formatPercent(container.cpu_percent)}</span>}
              <Chip title={container.status}>{container.state}</Chip>
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function System({ info, driver }: { info: SystemInfo; driver?: string }) {
  const { cpu, agent, docker } = info;
  return (
    <div className="flex flex-col gap-4">
      <dl className="-my-2 divide-y divide-line text-[13px]">
        <Fact name="Host">{info.hostname}</Fact>
        <Fact name="System">{`${info.os}, ${info.architecture}`}</Fact>
        <Fact name="Kernel">{info.kernel}</Fact>
        <Fact name="Up">{uptime(info.uptime_seconds)}</Fact>
        {driver && <Fact name="Driver">{driver}</Fact>}
        {cpu.model && <Fact name="Processor">{cpu.model}</Fact>}
        <Fact name="Load over 1, 5, 15 minutes">{[cpu.load_1, cpu.load_5, cpu.load_15].map((load) => load.toFixed(2)).join("  ")}</Fact>
        {info.swap.total_bytes > 0 && <Fact name="Swap">{`${formatBytes(info.swap.used_bytes)} of ${formatBytes(info.swap.total_bytes)}`}</Fact>}
        <Fact name="Agent">
          {agent.version}, started <RelativeTime at={agent.started_at} />, {formatBytes(agent.memory_bytes)}
        </Fact>
        {info.networks.filter(({ rx_bytes, tx_bytes }) => rx_bytes + tx_bytes > 0).map((network) => (
          <Fact key={network.name} name={network.name}>{`${formatBytes(network.rx_bytes)} received, ${formatBytes(network.tx_bytes)} sent`}</Fact>
        ))}
      </dl>
      {info.disks.map((disk) => (
        <Meter
          key={disk.mount}
          label={`${disk.mount} (${disk.filesystem})`}
          percent={percentOf(disk.used_bytes, disk.total_bytes)}
          detail={`${formatBytes(disk.used_bytes)} of ${formatBytes(disk.total_bytes)}`}
        />
      ))}
      <div className="flex flex-wrap gap-1.5">
        {info.software.map(({ name, version }) => (
          <Chip key={name}>{`${name} ${version}`}</Chip>
        ))}
      </div>
      <Docker docker={docker} />
    </div>
  );
}

/** What the machine is, beyond what moves every second. */
export function NodeSystem({ nodeId, driver }: { nodeId: string; driver?: string }) {
  const { data: info, error, refetch } = useSystemInfo(nodeId);
  return (
    <Panel title="System">
      {info && (
        <div data-testid="system-info">
          <System info={info} driver={driver} />
        </div>
      )}
      {!info && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!info && !error && (
        <Loading label="Loading the system">
          <Skeleton className="h-40" />
        </Loading>
      )}
    </Panel>
  );
}

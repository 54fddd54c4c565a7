import { ArrowDownUp, Ban, Cpu, HardDrive, MemoryStick, ShieldCheck, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { Link, useParams } from "react-router";

import { ApiError } from "@/api/error";
import type { Capability, Node, NodeMetrics, WorkloadMetrics } from "@/api/types";
import { NodeCaches } from "@/features/caches/NodeCaches";
import { NodePlots } from "@/features/metrics/NodePlots";
import { useProjects } from "@/features/projects/queries";
import { formatBytes, formatPercent, formatRate, percentOf, plural } from "@/format/quantity";
import { formatDuration } from "@/format/time";
import { NotFound } from "@/shell/NotFound";
import { Chip } from "@/ui/Badge";
import { Card, Panel } from "@/ui/Card";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { ErrorState, Loading, Skeleton } from "@/ui/states";

import { NodeStatusBadge } from "./NodeStatusBadge";
import { useNode } from "./queries";

function Stat({ icon: Icon, label, value, detail }: { icon: LucideIcon; label: string; value: ReactNode; detail: string }) {
  return (
    <Card className="p-4">
      <p className="flex items-center gap-1.5 text-[13px] text-faint">
        <Icon aria-hidden className="size-3.5" /> {label}
      </p>
      <p className="mt-1 text-xl font-semibold tracking-tight tabular-nums">{value}</p>
      <p className="truncate text-xs text-faint tabular-nums">{detail}</p>
    </Card>
  );
}

function Stats({ metrics }: { metrics: NodeMetrics }) {
  return (
    <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      <Stat icon={Cpu} label="CPU" value={formatPercent(metrics.cpu_percent)} detail={`${plural(metrics.cpu_cores, "core")}, load ${metrics.load.toFixed(2)}`} />
      <Stat
        icon={MemoryStick}
        label="Memory"
        value={formatPercent(percentOf(metrics.memory_used_bytes, metrics.memory_total_bytes))}
        detail={`${formatBytes(metrics.memory_used_bytes)} of ${formatBytes(metrics.memory_total_bytes)}`}
      />
      <Stat
        icon={HardDrive}
        label="Disk"
        value={formatPercent(percentOf(metrics.disk_used_bytes, metrics.disk_total_bytes))}
        detail={`${formatBytes(metrics.disk_total_bytes - metrics.disk_used_bytes)} free`}
      />
      <Stat
        icon={ArrowDownUp}
        label="Network"
        value={formatRate(metrics.network_rx_bytes_per_second)}
        detail={`received, ${formatRate(metrics.network_tx_bytes_per_second)} sent`}
      />
    </div>
  );
}

const protectionNames: Record<string, string> = {
  cpu_weight: "Share of the CPU",
  cpu_yielding: "Yielding of who computes",
  pids_limit: "Limit of processes",
  own_uid: "User of its own",
  pid_namespace: "Process namespace",
  ipc_namespace: "IPC namespace",
  seccomp: "System call filter",
  no_new_privs: "No new privileges",
  memory_pressure: "Pressure on memory",
  network_policy: "Rules for the network",
  separate_processes: "Server and edge without root",
};

function Protections({ capabilities }: { capabilities: readonly Capability[] }) {
  const missing = capabilities.filter((capability) => !capability.enabled).length;
  return (
    <Panel
      title="Protections"
      description={missing === 0 ? "Everything that keeps projects apart holds on this machine." : `${plural(missing, "protection")} of ${capabilities.length} cannot hold on this machine.`}
    >
      <ul className="-my-2 divide-y divide-line">
        {[...capabilities].sort((a, b) => Number(a.enabled) - Number(b.enabled)).map(({ name, enabled, detail }) => {
          const Icon = enabled ? ShieldCheck : Ban;
          return (
            <li key={name} className="flex items-start gap-3 py-2.5">
              <Icon aria-hidden className={enabled ? "mt-0.5 size-4 shrink-0 text-good" : "mt-0.5 size-4 shrink-0 text-warn"} />
              <div className="min-w-0 flex-1">
                <p className="flex flex-wrap items-baseline justify-between gap-x-3">
                  <span className="font-medium first-letter:uppercase">{protectionNames[name] ?? name.replaceAll("_", " ")}</span>
                  <span className={enabled ? "text-xs text-good" : "text-xs text-warn"}>{enabled ? "enforced" : "not enforced"}</span>
                </p>
                <p className="text-[13px] wrap-anywhere text-faint">{detail}</p>
              </div>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

function Workload({ workload, name }: { workload: WorkloadMetrics; name?: string }) {
  const facts = [
    workload.memory_bytes != null && formatBytes(workload.memory_bytes),
    workload.cpu_percent != null && `${formatPercent(workload.cpu_percent)} of a core`,
    workload.cpu_seconds != null && `${formatDuration(workload.cpu_seconds * 1000)} of CPU`,
    workload.restarts > 0 && plural(workload.restarts, "restart"),
  ].filter(Boolean);
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 py-2.5">
      <Link to={`/projects/${workload.project_id}`} className="min-w-0 truncate rounded font-medium hover:underline">
        {name ?? workload.project_id}
        {workload.process !== "web" && <span className="font-normal text-faint"> / {workload.process}</span>}
      </Link>
      <span className="flex items-center gap-3 text-[13px] text-faint tabular-nums">
        {facts.join(" · ")}
        <Chip>{workload.state}</Chip>
      </span>
    </li>
  );
}

function Workloads({ node }: { node: Node }) {
  const { data: projects } = useProjects();
  return (
    <Panel title="Workloads" description={node.workloads.length === 0 ? "Nothing runs here now." : undefined}>
      <ul className="-my-2 divide-y divide-line">
        {node.workloads.map((workload) => (
          <Workload key={`${workload.deployment_id} ${workload.process}`} workload={workload} name={projects?.find((project) => project.id === workload.project_id)?.name} />
        ))}
      </ul>
    </Panel>
  );
}

export default function NodePage() {
  const { id = "" } = useParams();
  const { data: node, error, refetch } = useNode(id);

  if (!node) {
    if (error instanceof ApiError && error.status === 404) return <NotFound what="server" />;
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the server" className="flex flex-col gap-5">
        <Skeleton className="h-10 w-60" />
        <Skeleton className="h-24" />
        <Skeleton className="h-56" />
      </Loading>
    );
  }

  return (
    <div className="flex flex-col gap-5">
      <PageTitle>{node.name}</PageTitle>
      <PageHeader
        crumbs={[{ label: "Servers", to: "/servers" }]}
        title={
          <>
            {node.name}
            <NodeStatusBadge node={node} />
          </>
        }
        subtitle={
          <span className="flex flex-wrap gap-x-4 text-[13px]">
            {node.embedded && <span>Runs inside the server's own process</span>}
            {node.version && <span>NanoScale {node.version}</span>}
            {node.kernel && <span>{node.kernel}</span>}
            {node.last_seen_at && (
              <span className="text-faint">
                last heard from <RelativeTime at={node.last_seen_at} />
              </span>
            )}
          </span>
        }
      />
      {node.metrics && <Stats metrics={node.metrics} />}
      <NodePlots nodeId={node.id} />
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-5">
          <Workloads node={node} />
          <NodeCaches nodeId={node.id} />
        </div>
        <Protections capabilities={node.capabilities} />
      </div>
    </div>
  );
}

import { ArrowDown, ArrowUp, Server } from "lucide-react";
import { Link } from "react-router";

import type { Node } from "@/api/types";
import { formatRate, plural } from "@/format/quantity";
import { Chip } from "@/ui/Badge";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { isProtection } from "./ContainerEngine";
import { NodeLoad } from "./NodeLoad";
import { NodeStatusBadge } from "./NodeStatusBadge";
import { useNodes } from "./queries";

export function missingProtections(node: Node): number {
  return node.capabilities.filter((capability) => isProtection(capability) && !capability.enabled).length;
}

function NodeCard({ node }: { node: Node }) {
  const missing = missingProtections(node);
  return (
    <article className="relative flex flex-col gap-4 rounded-xl border border-line bg-surface p-4 shadow-card transition-colors hover:border-line-strong sm:p-5">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <div className="min-w-0">
          <h2 className="flex items-center gap-2 text-[15px] font-semibold">
            <Server aria-hidden className="size-4 text-faint" />
            <Link to={`/servers/${node.id}`} className="before:absolute before:inset-0 before:rounded-xl">
              {node.name}
            </Link>
            {node.embedded && <Chip title="Runs inside the server's own process">this machine</Chip>}
          </h2>
          <p className="mt-1 text-[13px] text-faint">
            {plural(node.workloads.length, "workload")}
            {missing > 0 && <span className="text-warn"> · {plural(missing, "protection")} missing</span>}
            {node.status === "offline" && node.last_seen_at && (
              <>
                {" "}
                · last seen <RelativeTime at={node.last_seen_at} />
              </>
            )}
          </p>
        </div>
        <NodeStatusBadge node={node} />
      </div>
      {node.metrics ? (
        <>
          <NodeLoad metrics={node.metrics} />
          <p className="flex gap-4 text-[13px] text-faint tabular-nums">
            <span className="inline-flex items-center gap-1">
              <ArrowDown aria-label="received" className="size-3.5" /> {formatRate(node.metrics.network_rx_bytes_per_second)}
            </span>
            <span className="inline-flex items-center gap-1">
              <ArrowUp aria-label="sent" className="size-3.5" /> {formatRate(node.metrics.network_tx_bytes_per_second)}
            </span>
          </p>
        </>
      ) : (
        <p className="text-[13px] text-faint">No numbers yet.</p>
      )}
    </article>
  );
}

export default function NodesPage() {
  const { data: nodes, error, refetch } = useNodes();
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Servers</PageTitle>
      <PageHeader title="Servers" subtitle="The machines that build and run your projects." />
      {!nodes && error && <ErrorState error={error} onRetry={() => void refetch()} />}
      {!nodes && !error && (
        <Loading label="Loading servers" className="grid gap-3 xl:grid-cols-2">
          <Skeleton className="h-44 rounded-xl" />
        </Loading>
      )}
      {nodes?.length === 0 && (
        <EmptyState icon={Server} title="No server yet">
          The machine NanoScale runs on shows up here when its node has started. Its log says why when it has not.
        </EmptyState>
      )}
      {nodes && nodes.length > 0 && (
        <div className="grid gap-3 xl:grid-cols-2">
          {nodes.map((node) => (
            <NodeCard key={node.id} node={node} />
          ))}
        </div>
      )}
    </div>
  );
}

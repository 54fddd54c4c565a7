import { ArrowDown, ArrowUp, Server } from "lucide-react";
import { Link } from "react-router";

import type { Node } from "@/api/types";
import { formatRate, plural } from "@/format/quantity";
import { Chip } from "@/ui/Badge";
import { Prose } from "@/ui/Prose";
import { RelativeTime } from "@/ui/RelativeTime";

import { isConnected, meaningOf } from "./node-status";
import { NodeLabels } from "./NodeLabels";
import { NodeLoad } from "./NodeLoad";
import { isProtection } from "./ContainerEngine";
import { NodeStatusBadge } from "./NodeStatusBadge";
import { Residents } from "./Residents";

function Facts({ node }: { node: Node }) {
  const missing = node.capabilities.filter((capability) => isProtection(capability) && !capability.enabled).length;
  return (
    <ul className="flex flex-wrap text-[13px] text-faint [&>li:not(:last-child)]:after:mx-1.5 [&>li:not(:last-child)]:after:text-faint [&>li:not(:last-child)]:after:content-['·']">
      {node.version && <li>NanoScale {node.version}</li>}
      {missing > 0 && <li className="text-warn">{plural(missing, "protection")} missing</li>}
      {!isConnected(node) && node.last_seen_at && (
        <li>
          last seen <RelativeTime at={node.last_seen_at} />
        </li>
      )}
    </ul>
  );
}

function Rates({ metrics }: { metrics: NonNullable<Node["metrics"]> }) {
  return (
    <p className="flex gap-4 text-[13px] text-faint tabular-nums">
      <span className="inline-flex items-center gap-1">
        <ArrowDown aria-label="received" className="size-3.5" /> {formatRate(metrics.network_rx_bytes_per_second)}
      </span>
      <span className="inline-flex items-center gap-1">
        <ArrowUp aria-label="sent" className="size-3.5" /> {formatRate(metrics.network_tx_bytes_per_second)}
      </span>
    </p>
  );
}

/** Numbers of a server that is away are those of another time. */
function Load({ node }: { node: Node }) {
  if (!isConnected(node)) {
    const meaning = meaningOf(node);
    return <p className="text-[13px] text-soft">{meaning && <Prose>{meaning}</Prose>}</p>;
  }
  if (!node.metrics) return <p className="text-[13px] text-faint">Its first numbers come in a moment.</p>;
  return (
    <>
      <NodeLoad metrics={node.metrics} />
      <Rates metrics={node.metrics} />
    </>
  );
}

export function NodeCard({ node }: { node: Node }) {
  return (
    <article
      data-testid="node"
      data-name={node.name}
      className="relative flex min-w-0 flex-col gap-3.5 rounded-xl border border-line bg-surface p-4 shadow-card transition-colors hover:border-line-strong sm:p-5"
    >
      <div className="flex flex-col gap-1">
        <div className="flex items-start justify-between gap-3">
          <h2 className="flex min-w-0 items-center gap-2 text-[15px] font-semibold">
            <Server aria-hidden className="size-4 shrink-0 text-faint" />
            <Link
              to={`/servers/${node.id}`}
              className="min-w-0 truncate before:absolute before:inset-0 before:rounded-xl focus-visible:outline-none focus-visible:before:outline-2 focus-visible:before:-outline-offset-2 focus-visible:before:outline-accent-strong"
            >
              {node.name}
            </Link>
            {node.embedded && <Chip title="Runs inside the server's own process">this server</Chip>}
          </h2>
          <NodeStatusBadge node={node} />
        </div>
        <Facts node={node} />
      </div>
      <NodeLabels labels={node.labels} />
      <Load node={node} />
      <div className="mt-auto border-t border-line pt-3">
        <Residents node={node} />
      </div>
    </article>
  );
}

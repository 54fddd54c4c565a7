import { Badge, Chip } from "@/ui/Badge";

import { lookOf, type NodeState } from "./node-status";

/** Where a server stands between joining and being removed. */
export function NodeStatusBadge({ node }: { node: NodeState }) {
  const { word, tone, icon, spin } = lookOf(node);
  return (
    <span className="flex shrink-0 flex-wrap items-center justify-end gap-1.5">
      <Badge tone={tone} icon={icon} spin={spin} data-testid="node-status" data-state={node.status}>
        {word}
      </Badge>
      {/* The status of one that is away does not say it. */}
      {node.draining && node.status !== "draining" && <Chip>draining</Chip>}
    </span>
  );
}

import { CircleCheck, CircleX, TriangleAlert } from "lucide-react";

import type { Node } from "@/api/types";
import { Badge } from "@/ui/Badge";

/** Online or not, and whether its last word is fresh. */
export function NodeStatusBadge({ node }: { node: Pick<Node, "status" | "health_status"> }) {
  if (node.status === "offline") {
    return (
      <Badge tone="bad" icon={CircleX}>
        Offline
      </Badge>
    );
  }
  if (node.health_status === "healthy") {
    return (
      <Badge tone="good" icon={CircleCheck}>
        Online
      </Badge>
    );
  }
  return (
    <Badge tone="warn" icon={TriangleAlert}>
      {node.health_status === "stale" ? "Not heard from lately" : "Unhealthy"}
    </Badge>
  );
}

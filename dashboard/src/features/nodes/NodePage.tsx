import { useParams } from "react-router";

import { ApiError } from "@/api/error";
import { useMe } from "@/features/auth/queries";
import { NodeCaches } from "@/features/caches/NodeCaches";
import { MachineLogs } from "@/features/machine-logs/MachineLogs";
import { NodePlots } from "@/features/metrics/NodePlots";
import { NotFound } from "@/shell/NotFound";
import { PageTitle } from "@/ui/PageTitle";
import { ErrorState, Loading, Skeleton } from "@/ui/states";

import { ContainerEngine, driverOf, isProtection } from "./ContainerEngine";
import { isConnected } from "./node-status";
import { NodeHeader } from "./NodeHeader";
import { NodeProtections } from "./NodeProtections";
import { NodeRemoval } from "./NodeRemoval";
import { NodeSettings } from "./NodeSettings";
import { NodeStats } from "./NodeStats";
import { NodeSystem } from "./NodeSystem";
import { NodeWorkloads } from "./NodeWorkloads";
import { mayChange } from "./placement";
import { useIsRemoving, useNode } from "./queries";

export default function NodePage() {
  const { id = "" } = useParams();
  const { data: node, error, refetch } = useNode(id);
  const { data: me } = useMe();
  const removing = useIsRemoving(id);

  // Also when it was here a moment ago.
  if (error instanceof ApiError && error.status === 404 && !removing) return <NotFound what="server" />;
  if (!node) {
    if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
    return (
      <Loading label="Loading the server" className="flex flex-col gap-5">
        <Skeleton className="h-10 w-60" />
        <Skeleton className="h-24" />
        <Skeleton className="h-56" />
      </Loading>
    );
  }

  const changeable = mayChange(node, me);
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>{node.name}</PageTitle>
      <NodeHeader node={node} />
      {node.metrics && isConnected(node) && <NodeStats metrics={node.metrics} />}
      <NodePlots nodeId={node.id} />
      <div className="grid items-start gap-5 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-5">
          <NodeWorkloads node={node} />
          <ContainerEngine capabilities={node.capabilities} />
          {changeable && <NodeSettings key={node.id} node={node} />}
          {isConnected(node) && <NodeCaches nodeId={node.id} />}
        </div>
        <div className="flex min-w-0 flex-col gap-5">
          {isConnected(node) && <NodeSystem nodeId={node.id} driver={driverOf(node.capabilities)} />}
          {node.capabilities.length > 0 && <NodeProtections capabilities={node.capabilities.filter(isProtection)} />}
        </div>
      </div>
      {isConnected(node) && <MachineLogs node={node} />}
      {changeable && !node.embedded && <NodeRemoval node={node} />}
    </div>
  );
}

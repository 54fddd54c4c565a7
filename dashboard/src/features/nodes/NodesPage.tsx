import { Network, Plus, Server } from "lucide-react";
import { useState } from "react";

import { Button } from "@/ui/Button";
import { PageHeader, PageTitle } from "@/ui/PageTitle";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";

import { AddServerDialog } from "./AddServerDialog";
import { JoinTokens } from "./JoinTokens";
import { sortNodes } from "./node-status";
import { NodeCard } from "./NodeCard";
import { useNodes } from "./queries";

/** What a second machine is good for. */
function OnlyThisServer({ onAdd }: { onAdd: () => void }) {
  return (
    <EmptyState
      icon={Network}
      title="Everything runs on this one machine"
      actions={
        <Button icon={Plus} onClick={onAdd}>
          Add a server
        </Button>
      }
    >
      Add a second one and you choose for each project where it runs: where there is room, near its visitors, or apart from the others. One command joins it. It needs no
      open port and no SSH key, every server answers for every app, and its apps go on while this machine is away.
    </EmptyState>
  );
}

export default function NodesPage() {
  const { data: nodes, error, refetch } = useNodes();
  const [adding, setAdding] = useState(false);
  return (
    <div className="flex flex-col gap-5">
      <PageTitle>Servers</PageTitle>
      <PageHeader
        title="Servers"
        subtitle="The machines that build and run your projects."
        actions={
          <Button variant="primary" icon={Plus} onClick={() => setAdding(true)} data-testid="add-server">
            Add server
          </Button>
        }
      />
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
          {sortNodes(nodes).map((node) => (
            <NodeCard key={node.id} node={node} />
          ))}
        </div>
      )}
      <JoinTokens />
      {nodes?.length === 1 && nodes[0]?.embedded && <OnlyThisServer onAdd={() => setAdding(true)} />}
      <AddServerDialog open={adding} onOpenChange={setAdding} />
    </div>
  );
}

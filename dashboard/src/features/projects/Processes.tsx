import type { Deployment, WorkloadMetrics } from "@/api/types";
import { isConnected } from "@/features/nodes/node-status";
import { useNode } from "@/features/nodes/queries";
import { WorkloadStateBadge } from "@/features/nodes/WorkloadStateBadge";
import { formatBytes, plural } from "@/format/quantity";
import { Panel } from "@/ui/Card";

import { processNames } from "./process-names";

function Row({ name, command, workload }: { name: string; command?: string | null; workload?: WorkloadMetrics }) {
  const facts = [workload?.memory_bytes != null && formatBytes(workload.memory_bytes), workload && workload.restarts > 0 && plural(workload.restarts, "restart")].filter(Boolean);
  return (
    <li data-testid="process" className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 py-2.5">
      <div className="flex min-w-0 flex-1 basis-56 items-baseline gap-2.5">
        <span className="shrink-0 font-medium">{name}</span>
        <code className="min-w-0 truncate font-mono text-[13px] text-faint" title={command ?? undefined}>
          {command}
        </code>
      </div>
      <span className="flex items-center gap-3 text-[13px] text-faint tabular-nums">
        {facts.join(" · ")}
        <WorkloadStateBadge state={workload?.state} />
      </span>
    </li>
  );
}

/** What the live release keeps running, as its machine says. */
export function Processes({ live, nodeId }: { live: Deployment; nodeId: string }) {
  const { data: node } = useNode(nodeId);
  const plan = live.plan;
  const names = processNames(plan);
  if (!node || names.length === 0) return null;
  return (
    <Panel title="Processes" description={isConnected(node) ? undefined : "As its server said before it went away."}>
      <ul className="-my-2.5 divide-y divide-line">
        {names.map((name) => (
          <Row
            key={name}
            name={name}
            command={name === "web" ? plan?.run_command : plan?.workers?.find((worker) => worker.name === name)?.command}
            workload={node.workloads.find((each) => each.deployment_id === live.id && each.process === name)}
          />
        ))}
      </ul>
    </Panel>
  );
}

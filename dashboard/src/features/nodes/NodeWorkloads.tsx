import { Link } from "react-router";

import { asSentence } from "@/api/error";
import type { Node, WorkloadMetrics } from "@/api/types";
import { useProjects } from "@/features/projects/queries";
import { formatBytes } from "@/format/quantity";
import { formatDuration } from "@/format/time";
import { Panel } from "@/ui/Card";
import { RelativeTime } from "@/ui/RelativeTime";

import { isConnected } from "./node-status";
import { WorkloadStateBadge } from "./WorkloadStateBadge";

const numberClass = "py-2.5 pl-4 text-right text-[13px] whitespace-nowrap text-soft tabular-nums";

function Row({ workload, name }: { workload: WorkloadMetrics; name?: string }) {
  const { project_id, process, state, reason, memory_bytes, cpu_seconds, restarts } = workload;
  return (
    <tr data-testid="workload" className="align-top">
      <td className="w-full max-w-0 min-w-28 py-2.5">
        <p className="truncate">
          {name ? (
            <Link to={`/projects/${project_id}`} className="rounded font-medium hover:underline">
              {name}
            </Link>
          ) : (
            <span className="text-soft">somebody else's project</span>
          )}
          {process !== "web" && <span className="text-faint"> / {process}</span>}
        </p>
        {reason && <p className="text-[13px] wrap-anywhere text-faint">{asSentence(reason)}</p>}
      </td>
      <td className="py-2 pl-3">
        <WorkloadStateBadge state={state} />
      </td>
      <td className={numberClass}>{memory_bytes != null && formatBytes(memory_bytes)}</td>
      <td className={`${numberClass} max-sm:hidden`}>{cpu_seconds != null && formatDuration(cpu_seconds * 1000)}</td>
      <td className={`${numberClass} max-sm:hidden`}>{restarts}</td>
    </tr>
  );
}

/** What runs there. */
export function NodeWorkloads({ node }: { node: Node }) {
  const { data: projects } = useProjects();
  const headClass = "pb-1.5 pl-4 text-right font-normal whitespace-nowrap";
  return (
    <Panel
      title="Workloads"
      description={
        !isConnected(node) && node.workloads.length > 0 && node.last_seen_at ? (
          <>
            As it said <RelativeTime at={node.last_seen_at} />.
          </>
        ) : undefined
      }
    >
      {node.workloads.length === 0 ? (
        <p className="text-soft">{isConnected(node) ? "Nothing runs here now." : "Nothing is known to run here."}</p>
      ) : (
        <table className="-mb-2 w-full">
          <thead>
            <tr className="border-b border-line text-left text-xs text-faint">
              <th scope="col" className="pb-1.5 font-normal">
                Project
              </th>
              <th scope="col" className="pb-1.5 pl-3 font-normal">
                State
              </th>
              <th scope="col" className={headClass}>
                Memory
              </th>
              <th scope="col" className={`${headClass} max-sm:hidden`} title="Since it started">
                CPU time
              </th>
              <th scope="col" className={`${headClass} max-sm:hidden`}>
                Restarts
              </th>
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {node.workloads.map((workload) => (
              <Row key={`${workload.deployment_id} ${workload.process}`} workload={workload} name={projects?.find((project) => project.id === workload.project_id)?.name} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

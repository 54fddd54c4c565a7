import type { Node } from "@/api/types";
import { useMe } from "@/features/auth/queries";
import { Chip } from "@/ui/Badge";
import { PageHeader } from "@/ui/PageTitle";
import { RelativeTime } from "@/ui/RelativeTime";
import { Notice } from "@/ui/states";

import { DrainButton } from "./DrainButton";
import { lookOf, meaningOf } from "./node-status";
import { NodeLabels } from "./NodeLabels";
import { NodeStatusBadge } from "./NodeStatusBadge";
import { mayChange } from "./placement";

/** What the server is, how it is, and what that means. Its problems stand above every page. */
export function NodeHeader({ node }: { node: Node }) {
  const { data: me } = useMe();
  const { tone, icon } = lookOf(node);
  const meaning = meaningOf(node);
  return (
    <>
      <PageHeader
        crumbs={[{ label: "Servers", to: "/servers" }]}
        title={
          <>
            <span className="min-w-0 wrap-anywhere">{node.name}</span>
            <NodeStatusBadge node={node} />
            {node.embedded && <Chip title="Runs inside the server's own process">this server</Chip>}
          </>
        }
        subtitle={
          <div className="flex flex-col gap-1.5">
            <p className="flex flex-wrap gap-x-4 text-[13px]">
              {node.version && <span>NanoScale {node.version}</span>}
              {node.kernel && <span>{node.kernel}</span>}
              {!node.embedded && (
                <span title="How visitors who come to another server get to the apps here">
                  {node.direct_address ? `reached at ${node.direct_address}` : "reached through the server"}
                </span>
              )}
              {node.last_seen_at && (
                <span className="text-faint">
                  last heard from <RelativeTime at={node.last_seen_at} />
                </span>
              )}
            </p>
            <NodeLabels labels={node.labels} />
          </div>
        }
        actions={mayChange(node, me) && <DrainButton node={node} />}
      />
      {meaning && (
        <Notice tone={tone === "good" ? "calm" : tone} icon={icon}>
          {meaning}
        </Notice>
      )}
    </>
  );
}

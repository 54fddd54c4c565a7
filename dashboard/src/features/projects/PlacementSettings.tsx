import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { Project } from "@/api/types";
import { NodeChoice } from "@/features/nodes/NodeChoice";
import { useNodes } from "@/features/nodes/queries";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { TextField } from "@/ui/Field";
import { Switch } from "@/ui/Switch";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { useUpdateProject } from "./queries";

/** On which servers a project runs. Takes effect at once and without a pause, and needs no deployment. */
export function PlacementSettings({ project }: { project: Project }) {
  const { data: nodes = [] } = useNodes();
  const save = useUpdateProject(project.id);
  const [nodeId, setNodeId] = useState(project.node_id);
  const [replicas, setReplicas] = useState(String(project.replicas));
  const [reschedule, setReschedule] = useState(project.reschedule);
  const bound = (project.volumes ?? []).length > 0 && nodes.some((node) => node.id === project.node_id);
  if (nodes.length < 2 && project.replicas === 1) return null;

  const count = Number(replicas);
  const problem = Number.isInteger(count) && count >= 1 && count <= 100 ? undefined : "A project runs on 1 to 100 servers.";
  const update = {
    ...(nodeId && nodeId !== project.node_id && { node_id: nodeId }),
    ...(count !== project.replicas && { replicas: count }),
    ...(reschedule !== project.reschedule && { reschedule }),
  };
  const changed = Object.keys(update).length > 0;
  const failure = formError(save.error, ["node_id", "replicas"]);

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!changed || problem) return;
    save.mutate(update, { onSuccess: () => toast.good(update.node_id ? `${project.name} is moving.` : "Settings saved.") });
  }

  return (
    <Panel
      title="Servers"
      description={bound ? "Its volumes are on its server, and it stays where they are." : "A project moves without a pause: it serves where it is until it does where it goes."}
    >
      {!bound && (
        <form onSubmit={submit} className="flex flex-col gap-4" data-testid="placement-settings">
          <NodeChoice value={nodeId} onChange={setNodeId} error={fieldError(save.error, "node_id")} fixed />
          <TextField
            label="Replicas"
            hint="On how many servers it runs at once, as far as there are as many. Visitors go to whichever does best."
            inputMode="numeric"
            value={replicas}
            onChange={setReplicas}
            error={problem ?? fieldError(save.error, "replicas")}
          />
          <div className="flex items-start justify-between gap-4">
            <div>
              <p className="font-medium">Move when its server is lost</p>
              <p className="text-[13px] text-faint">After a while without a sign of life, five minutes unless configured otherwise, it is built anew on another server.</p>
            </div>
            <Switch label="Move when its server is lost" checked={reschedule} onChange={setReschedule} />
          </div>
          {failure && <Notice tone="bad">{failure}</Notice>}
          <div>
            <Button type="submit" variant="primary" disabled={!changed || problem != null} busy={save.isPending}>
              Save servers
            </Button>
          </div>
        </form>
      )}
    </Panel>
  );
}

import { Trash2 } from "lucide-react";
import { useState } from "react";
import { Link, useNavigate } from "react-router";

import { ApiError, messageOf } from "@/api/error";
import type { Node } from "@/api/types";
import { useProjects } from "@/features/projects/queries";
import { Button } from "@/ui/Button";
import { Panel } from "@/ui/Card";
import { Confirm } from "@/ui/Dialog";
import { CheckField, TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";
import { toast } from "@/ui/toast-store";

import { isConnected } from "./node-status";
import { useRemoveNode } from "./queries";

/** What is still there, and what becomes of it. */
function InUse({ node, refusal, force, onForce }: { node: Node; refusal: string; force: boolean; onForce: (force: boolean) => void }) {
  const { data: projects = [] } = useProjects();
  const here = projects.filter((project) => project.node_id === node.id);
  return (
    <div data-testid="in-use" className="flex flex-col gap-3">
      {here.length === 0 ? (
        <Notice tone="bad">{refusal}</Notice>
      ) : (
        <Notice tone="bad">
          <p>Not removed: these projects are still on it.</p>
          <ul className="mt-1 list-disc pl-5">
            {here.map(({ id, name, volumes }) => (
              <li key={id}>
                <Link to={`/projects/${id}`} className="rounded font-medium underline">
                  {name}
                </Link>
                {volumes && volumes.length > 0 && `, with its volumes`}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      <CheckField
        label="Remove it all the same"
        hint="Their apps end, and their addresses stop answering. What only this machine has is lost to them: volumes with all their files, releases and logs. Their settings and variables stay."
        checked={force}
        onChange={onForce}
      />
    </div>
  );
}

function RemovalDialog({ node, onClose }: { node: Node; onClose: () => void }) {
  const navigate = useNavigate();
  const remove = useRemoveNode(node.id);
  const [typed, setTyped] = useState("");
  const [force, setForce] = useState(false);
  const [refusal, setRefusal] = useState<string>();
  const failure = remove.error instanceof ApiError && remove.error.code === "NODE_IN_USE" ? undefined : remove.error;

  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Remove ${node.name}?`}
      description={
        isConnected(node)
          ? "Its key opens nothing from then on, and it ends what it runs for this cloud. A new token lets the machine join again, as a new server."
          : "Its key opens nothing from then on. It is away, so it ends what it runs for this cloud when it comes back. A new token lets the machine join again, as a new server."
      }
      confirm={force ? "Remove, and lose what only it has" : "Remove"}
      testId="remove-node-confirm"
      danger
      busy={remove.isPending}
      allowed={typed.trim() === node.name && (refusal === undefined || force)}
      error={failure ? messageOf(failure) : undefined}
      onConfirm={() =>
        remove
          .mutateAsync(force)
          .then(() => {
            toast.good(`${node.name} is removed.`);
            void navigate("/servers");
          })
          .catch((error: unknown) => {
            if (error instanceof ApiError && error.code === "NODE_IN_USE") setRefusal(error.message);
          })
      }
    >
      <TextField label={`Type ${node.name} to confirm`} autoFocus autoComplete="off" autoCapitalize="none" spellCheck={false} value={typed} onChange={setTyped} />
      {refusal !== undefined && <InUse node={node} refusal={refusal} force={force} onForce={setForce} />}
    </Confirm>
  );
}

/** Takes the server out. Not for this server's own machine. */
export function NodeRemoval({ node }: { node: Node }) {
  const [open, setOpen] = useState(false);
  return (
    <Panel
      title="Remove this server"
      tone="bad"
      description="Takes the machine out of this cloud. Drain it first, so that what can move goes to other servers."
    >
      <Button variant="danger" icon={Trash2} data-testid="remove-node" onClick={() => setOpen(true)}>
        Remove server
      </Button>
      {open && <RemovalDialog node={node} onClose={() => setOpen(false)} />}
    </Panel>
  );
}

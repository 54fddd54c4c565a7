import { LogOut, Play } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { Node } from "@/api/types";
import { Button } from "@/ui/Button";
import { Confirm } from "@/ui/Dialog";
import { toast } from "@/ui/toast-store";

import { useDrainNode, useResumeNode } from "./queries";

function ResumeButton({ node }: { node: Node }) {
  const resume = useResumeNode(node.id);
  return (
    <Button
      icon={Play}
      busy={resume.isPending}
      data-testid="resume-node"
      onClick={() => resume.mutate(undefined, { onSuccess: () => toast.good(`${node.name} takes projects again.`), onError: toast.error })}
    >
      Resume
    </Button>
  );
}

/** Empties a server, or lets it have projects again. */
export function DrainButton({ node }: { node: Node }) {
  const drain = useDrainNode(node.id);
  const [open, setOpen] = useState(false);
  if (node.status === "joining") return null;
  return (
    <>
      {node.draining ? (
        <ResumeButton node={node} />
      ) : (
        <Button icon={LogOut} data-testid="drain-node" onClick={() => setOpen(true)}>
          Drain
        </Button>
      )}
      <Confirm
        open={open}
        onOpenChange={(next) => {
          drain.reset();
          setOpen(next);
        }}
        title={`Drain ${node.name}?`}
        description="It gets nothing new, and what can move goes to other servers. Projects with volumes stay, for their files are here. Resume takes this back."
        confirm="Drain"
        testId="drain-confirm"
        busy={drain.isPending}
        error={drain.error ? messageOf(drain.error) : undefined}
        onConfirm={() =>
          drain.mutate(undefined, {
            onSuccess: () => {
              toast.good(`${node.name} is being emptied.`);
              setOpen(false);
            },
          })
        }
      />
    </>
  );
}

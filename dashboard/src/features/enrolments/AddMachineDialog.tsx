import { useState, type FormEvent } from "react";

import { fieldError, formError } from "@/api/error";
import type { EnrolmentCreated } from "@/api/types";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Notice } from "@/ui/states";

import { useCreateEnrolment } from "./queries";
import { Registration } from "./Registration";

function MachineForm({ onCreated }: { onCreated: (created: EnrolmentCreated) => void }) {
  const [nodeId, setNodeId] = useState("");
  const [deviceId, setDeviceId] = useState("");
  const [tried, setTried] = useState(false);
  const create = useCreateEnrolment();

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (!nodeId.trim()) return;
    create.mutate({ node_id: nodeId.trim(), ...(deviceId.trim() && { device_id: deviceId.trim() }) }, { onSuccess: onCreated });
  }

  const failure = formError(create.error, ["node_id", "device_id"]);
  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-4" data-testid="add-machine-form">
      <TextField
        label="Name"
        mono
        placeholder="ada-workstation"
        autoFocus
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        hint="One that no other machine has: lower-case letters, digits, dots, hyphens and underscores."
        value={nodeId}
        onChange={(value) => {
          create.reset();
          setNodeId(value);
        }}
        error={(tried && !nodeId.trim() ? "Give the machine a name." : undefined) ?? fieldError(create.error, "node_id")}
      />
      <TextField
        label="Device id"
        optional
        placeholder="a serial number, a host name"
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        hint="By what else the approver may know it."
        value={deviceId}
        onChange={(value) => {
          create.reset();
          setDeviceId(value);
        }}
        error={fieldError(create.error, "device_id")}
      />
      {failure && <Notice tone="bad">{failure}</Notice>}
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={create.isPending} data-testid="make-registration">
          Make the token
        </Button>
      </div>
    </form>
  );
}

/** Lets a machine ask to take part, and stays until it has registered. */
export function AddMachineDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const [created, setCreated] = useState<EnrolmentCreated>();
  function close() {
    setCreated(undefined);
    onClose();
  }
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        if (!next) close();
      }}
      title={created ? `Register ${created.enrolment.node_id}` : "Add a machine"}
      description={created ? undefined : "It serves its models to others and earns you credits. It takes part once somebody has approved it."}
    >
      {created ? <Registration created={created} onDone={close} /> : <MachineForm onCreated={setCreated} />}
    </Dialog>
  );
}

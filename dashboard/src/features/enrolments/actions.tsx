import { Check, KeyRound, OctagonPause, Trash2, X } from "lucide-react";
import { useState } from "react";

import { messageOf } from "@/api/error";
import type { Enrolment, EnrolmentCreated } from "@/api/types";
import { Button } from "@/ui/Button";
import { Confirm, Dialog } from "@/ui/Dialog";
import { toast } from "@/ui/toast-store";

import { useDecide, useRekeyEnrolment, useWithdrawEnrolment } from "./queries";
import { Registration } from "./Registration";

/** Takes the key from a machine, and gives its owner a token for a new one. */
export function RekeyButton({ enrolment: { id, node_id } }: { enrolment: Enrolment }) {
  const [open, setOpen] = useState(false);
  const [created, setCreated] = useState<EnrolmentCreated>();
  const rekey = useRekeyEnrolment(id);
  return (
    <>
      <Button
        size="sm"
        icon={KeyRound}
        aria-label={`New key for ${node_id}`}
        data-testid="rekey"
        onClick={() => {
          rekey.reset();
          setOpen(true);
        }}
      >
        New key
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        title={`A new key for ${node_id}?`}
        description="The one that it has opens nothing from then on. You get a token to register the machine again, and somebody has to approve it again."
        confirm="Make a new key"
        testId="rekey-confirm"
        busy={rekey.isPending}
        error={rekey.error ? messageOf(rekey.error) : undefined}
        onConfirm={() =>
          rekey.mutate(undefined, {
            onSuccess: (made) => {
              setOpen(false);
              setCreated(made);
            },
          })
        }
      />
      <Dialog open={created !== undefined} onOpenChange={() => setCreated(undefined)} title={`Register ${node_id}`}>
        {created && <Registration created={created} onDone={() => setCreated(undefined)} />}
      </Dialog>
    </>
  );
}

export function WithdrawButton({ enrolment: { id, node_id } }: { enrolment: Enrolment }) {
  const [open, setOpen] = useState(false);
  const withdraw = useWithdrawEnrolment(id);
  return (
    <>
      <Button
        size="sm"
        icon={Trash2}
        aria-label={`Withdraw ${node_id}`}
        data-testid="withdraw"
        onClick={() => {
          withdraw.reset();
          setOpen(true);
        }}
      >
        Withdraw
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        title={`Withdraw ${node_id}?`}
        description="It leaves the mesh at once, and its key opens nothing from then on. What it has earned stays yours."
        confirm="Withdraw"
        testId="withdraw-confirm"
        danger
        busy={withdraw.isPending}
        error={withdraw.error ? messageOf(withdraw.error) : undefined}
        onConfirm={() =>
          withdraw.mutate(undefined, {
            onSuccess: () => {
              toast.good(`${node_id} is withdrawn.`);
              setOpen(false);
            },
          })
        }
      />
    </>
  );
}

export function ApproveButton({ enrolment: { id, node_id } }: { enrolment: Enrolment }) {
  const decide = useDecide(id);
  return (
    <Button
      size="sm"
      variant="primary"
      icon={Check}
      busy={decide.isPending}
      aria-label={`Approve ${node_id}`}
      data-testid="approve"
      onClick={() => decide.mutate("approve", { onSuccess: () => toast.good(`${node_id} is approved.`), onError: toast.error })}
    >
      Approve
    </Button>
  );
}

/** Can be taken back by approving it again, so it does not ask. */
export function SuspendButton({ enrolment: { id, node_id } }: { enrolment: Enrolment }) {
  const decide = useDecide(id);
  return (
    <Button
      size="sm"
      icon={OctagonPause}
      busy={decide.isPending}
      aria-label={`Suspend ${node_id}`}
      data-testid="suspend"
      onClick={() => decide.mutate("suspend", { onSuccess: () => toast.good(`${node_id} is suspended.`), onError: toast.error })}
    >
      Suspend
    </Button>
  );
}

export function RejectButton({ enrolment: { id, node_id, owner } }: { enrolment: Enrolment }) {
  const [open, setOpen] = useState(false);
  const decide = useDecide(id);
  return (
    <>
      <Button
        size="sm"
        icon={X}
        aria-label={`Reject ${node_id}`}
        data-testid="reject"
        onClick={() => {
          decide.reset();
          setOpen(true);
        }}
      >
        Reject
      </Button>
      <Confirm
        open={open}
        onOpenChange={setOpen}
        title={`Reject ${node_id}?`}
        description={`It does not take part. ${owner} has to make a new key for it to ask again.`}
        confirm="Reject"
        testId="reject-confirm"
        danger
        busy={decide.isPending}
        error={decide.error ? messageOf(decide.error) : undefined}
        onConfirm={() =>
          decide.mutate("reject", {
            onSuccess: () => {
              toast.good(`${node_id} is rejected.`);
              setOpen(false);
            },
          })
        }
      />
    </>
  );
}
